import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Addresses, GUEST, checkPrivate, deltaCompress, deltaExpand, dump } from './dump.mjs';
import { seeded } from './random.mjs';

test('a delta says only what changed', () => {
  const before = {
    a: { id: 'a', type: 'inbound-rtp', timestamp: 1, ssrc: 7, packetsReceived: 1 },
    b: { id: 'b', type: 'codec', timestamp: 1 },
    c: { id: 'c', type: 'transport', timestamp: 1, selectedCandidatePairId: 'p' },
  };
  const after = {
    a: { id: 'a', type: 'inbound-rtp', timestamp: 2, ssrc: 7, packetsReceived: 5 },
    c: { id: 'c', type: 'transport', timestamp: 2, selectedCandidatePairId: 'p' },
    d: { id: 'd', type: 'remote-inbound-rtp', timestamp: 1.5, jitter: 0 },
  };
  assert.deepEqual(deltaCompress(before, after), {
    a: { timestamp: 0, packetsReceived: 5 },
    c: { timestamp: 0 },
    d: { timestamp: 1.5, type: 'remote-inbound-rtp', jitter: 0 },
    timestamp: 2,
  });
});

test('what is compressed expands to the same reports', () => {
  const random = seeded(7);
  const pick = (n) => Math.floor(random() * n);
  let before = {};
  let expanded = {};
  for (let round = 1; round <= 300; round += 1) {
    const reports = {};
    for (let i = 0; i < 6; i += 1) {
      if (random() < 0.3) continue;
      reports[`r${i}`] = {
        timestamp: random() < 0.2 ? round - 0.25 : round,
        type: 'outbound-rtp',
        packetsSent: pick(3),
        active: random() < 0.5,
        qualityLimitationDurations: { none: pick(2), cpu: 0 },
      };
    }
    const value = JSON.parse(JSON.stringify(deltaCompress(before, reports)));
    expanded = deltaExpand(expanded, value);
    assert.deepEqual(expanded, reports);
    before = reports;
  }
});

test('addresses become made-up ones, the same one each time', () => {
  const addresses = new Addresses();
  const candidate = {
    candidate: 'candidate:1 1 udp 2122 10.1.2.3 5000 typ srflx raddr 10.9.9.9 rport 1 ufrag AbCd',
    usernameFragment: 'AbCd',
  };
  assert.deepEqual(addresses.candidate('local', candidate), {
    candidate: 'candidate:1 1 udp 2122 192.0.2.10 5000 typ srflx raddr 192.0.2.11 rport 1 ufrag made',
    usernameFragment: 'made',
  });
  assert.equal(addresses.report({ type: 'local-candidate', ip: '10.1.2.3' }).ip, '192.0.2.10');
  assert.equal(addresses.report({ type: 'remote-candidate', ip: 'fd00::1' }).ip, '2001:db8:2::12');
});

test('a dump that would tell about this machine is refused', () => {
  checkPrivate('HeadlessChrome/156.0.0.0 192.0.2.1', 'buildhost');
  assert.throws(() => checkPrivate('on buildhost', 'buildhost'), /names this machine/);
  assert.throws(() => checkPrivate('from 10.0.0.7', 'buildhost'), /outside the documentation ranges/);
  assert.throws(() => checkPrivate('"ip":"fd00::7"', 'buildhost'), /outside the documentation ranges/);
});

test('a dump opens with the format and the made-up guest', () => {
  const recorded = {
    log: [['create', 'PC_0', {}, 5], ['close', 'PC_0', null, 9]],
    userAgent: 'x', url: 'https://meet.demo.example/clean', origin: 'https://meet.demo.example',
  };
  const lines = dump({ name: 'clean', meetingId: 'm' }, recorded).trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(([method]) => method), ['connectionInfo', 'identity', 'conferenceStartTimestamp', 'create', 'close']);
  assert.equal(lines[0][2].statsFormat, 'chrome_standard');
  assert.equal(lines[1][2].displayName, GUEST.displayName);
});
