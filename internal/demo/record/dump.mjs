// From what the page wrote down to the lines of a jitsi rtcstats dump: delta
// compression, documentation addresses in place of real ones, made-up people.

/** Made-up addresses only: RFC 5737 (IPv4) and RFC 3849 (IPv6). */
const NETWORKS = {
  local: { v4: '192.0.2.', v6: '2001:db8:1::' },
  remote: { v4: '198.51.100.', v6: '2001:db8:2::' },
};

/** Replaces addresses consistently: the same real one always gets the same made-up one. */
export class Addresses {
  #known = new Map();

  /** @param {'local'|'remote'} side whose address it is */
  replace(side, address) {
    if (!address || address.endsWith('.local')) return address;
    const key = `${side} ${address}`;
    if (!this.#known.has(key)) {
      const { v4, v6 } = NETWORKS[side];
      this.#known.set(key, (address.includes(':') ? v6 : v4) + (10 + this.#known.size));
    }
    return this.#known.get(key);
  }

  /** Rewrites the connection address, the related address and the ufrag of a candidate line (RFC 8839). */
  candidate(side, candidate) {
    if (!candidate) return candidate;
    const words = candidate.candidate.split(' ');
    words[4] = this.replace(side, words[4]);
    for (let i = 5; i + 1 < words.length; i += 1) {
      if (words[i] === 'raddr') words[i + 1] = this.replace(side, words[i + 1]);
      if (words[i] === 'ufrag') words[i + 1] = 'made';
    }
    return { ...candidate, candidate: words.join(' '), usernameFragment: 'made' };
  }

  /** Rewrites one getStats report. */
  report(report) {
    const side = { 'local-candidate': 'local', 'remote-candidate': 'remote' }[report.type];
    const copy = { ...report };
    for (const name of side ? ['address', 'ip', 'relatedAddress'] : []) {
      if (copy[name]) copy[name] = this.replace(side, copy[name]);
    }
    for (const name of ['usernameFragment', 'iceLocalUsernameFragment']) {
      if (copy[name]) copy[name] = 'made';
    }
    return copy;
  }
}

const equal = (a, b) => a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));

/** The instant that most reports of one getStats() share; remote reports have their own. */
function sharedTimestamp(reports) {
  const counts = new Map();
  for (const { timestamp } of Object.values(reports)) {
    counts.set(timestamp, (counts.get(timestamp) ?? 0) + 1);
  }
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [0, 0])[0];
}

/**
 * Delta-compresses one getStats() against the previous one of the same connection.
 * A report that is gone has no id any more; a property that didn't change is missing;
 * timestamp 0 stands for the top-level one. The format can't say that a property
 * vanished from a report that stays: it keeps its last value.
 * @param {object} previous reports by id, uncompressed; {} at first
 * @param {object} reports reports by id, uncompressed
 */
export function deltaCompress(previous, reports) {
  const timestamp = sharedTimestamp(reports);
  const value = {};
  for (const [id, { id: _, ...report }] of Object.entries(reports)) {
    const before = previous[id] ?? {};
    value[id] = { timestamp: report.timestamp === timestamp ? 0 : report.timestamp };
    for (const [name, now] of Object.entries(report)) {
      if (name !== 'timestamp' && !equal(before[name], now)) value[id][name] = now;
    }
  }
  return { ...value, timestamp };
}

/** Reports that the delta compression of this format gives back; the inverse, for tests and summaries. */
export function deltaExpand(previous, value) {
  const { timestamp, ...reports } = value;
  const expanded = {};
  for (const [id, report] of Object.entries(reports)) {
    expanded[id] = { ...previous[id], ...report, timestamp: report.timestamp || timestamp };
  }
  return expanded;
}

/** The made-up participant whose side of the call is kept. */
export const GUEST = Object.freeze({
  displayName: 'Dana Demo-Guest',
  userId: 'dana.demo-guest@visitors.example',
  microphone: "Dana's Headset (0000:d3a0)",
  camera: "Dana's Laptop Camera (0000:d3a1)",
  screen: 'DANA-LAPTOP Display 1',
});

function relabel(method, value) {
  const screen = method.includes('Display');
  const label = (kind) => {
    if (kind === 'audio') return GUEST.microphone;
    return screen ? GUEST.screen : GUEST.camera;
  };
  return { ...value, tracks: value.tracks.map((track) => ({ ...track, label: label(track.kind) })) };
}

/** The lines that a collector writes before the first connection. */
function opening(call, recorded) {
  const at = recorded.log[0][3];
  return [
    ['connectionInfo', null, {
      path: `/${call.name}`,
      origin: recorded.origin,
      url: recorded.url,
      userAgent: recorded.userAgent,
      clientProtocol: '3.1_STANDARD',
      statsFormat: 'chrome_standard',
    }, at],
    ['identity', null, {
      applicationName: 'Anteroom demonstration',
      confName: `demo-${call.name}`,
      meetingUniqueId: call.meetingId,
      sessionId: at,
      displayName: GUEST.displayName,
      userId: GUEST.userId,
      email: GUEST.userId,
      deviceId: `${GUEST.microphone}, ${GUEST.camera}`,
      clientAddress: '192.0.2.10',
    }, at],
    ['conferenceStartTimestamp', null, at, at],
  ];
}

/**
 * The dump of one side of one call, one JSON array per line.
 * @param {{name: string, meetingId: string}} call
 * @param {{log: Array, userAgent: string, url: string, origin: string}} recorded what the page gave back
 */
export function dump(call, recorded) {
  const addresses = new Addresses();
  const lines = opening(call, recorded);
  let previous = {};
  for (const [method, pc, value, at] of recorded.log) {
    let shown = value;
    if (method === 'getstats') {
      const reports = Object.fromEntries(
        Object.entries(value).map(([id, report]) => [id, addresses.report(report)]),
      );
      shown = deltaCompress(previous, reports);
      previous = reports;
    } else if (method === 'onicecandidate') {
      shown = addresses.candidate('local', value);
    } else if (method === 'addIceCandidate') {
      shown = addresses.candidate('remote', value);
    } else if (method.endsWith('MediaOnSuccess')) {
      shown = relabel(method, value);
    }
    lines.push([method, pc, shown, at]);
  }
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

const OUTSIDE = 'the dump holds an address outside the documentation ranges';

/** Refuses a dump that names this machine or an address that isn't a made-up one. */
export function checkPrivate(text, hostname) {
  if (hostname.length > 3 && text.includes(hostname)) throw new Error('the dump names this machine');
  const made = /^(192\.0\.2|198\.51\.100|203\.0\.113)\./;
  for (const [address] of text.matchAll(/(?<![\d.])(\d{1,3}\.){3}\d{1,3}(?![\d.])/g)) {
    // A browser's version has four parts too, and stands behind a slash.
    if (!made.test(address) && !text.includes(`Chrome/${address}`)) {
      throw new Error(OUTSIDE);
    }
  }
  for (const [, address] of text.matchAll(/"(?:ip|address|relatedAddress)":"([^"]*:[^"]*)"/g)) {
    if (!address.startsWith('2001:db8:')) throw new Error(OUTSIDE);
  }
}
