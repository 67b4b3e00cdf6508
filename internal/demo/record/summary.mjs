// What one dump holds, stream by stream, by plain arithmetic: shown after a recording,
// so that whoever records sees at once whether the clean call is clean.
import { deltaExpand } from './dump.mjs';

const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : NaN);
const last = (values) => values[values.length - 1];
const present = (values) => values.filter((value) => value !== undefined);

function streams(text) {
  const byId = new Map();
  const remote = new Map();
  let reports = {};
  for (const line of text.trimEnd().split('\n')) {
    const [method, , value] = JSON.parse(line);
    if (method !== 'getstats') continue;
    reports = deltaExpand(reports, value);
    for (const [id, report] of Object.entries(reports)) {
      if (report.type === 'inbound-rtp' || report.type === 'outbound-rtp') {
        byId.set(id, [...(byId.get(id) ?? []), report]);
      }
      if (report.type === 'remote-inbound-rtp') {
        remote.set(report.localId, [...(remote.get(report.localId) ?? []), report]);
      }
    }
  }
  return [...byId].map(([id, samples]) => ({ id, samples, remote: remote.get(id) ?? [] }));
}

function figures({ samples, remote }) {
  const end = last(samples);
  const inbound = end.type === 'inbound-rtp';
  const network = inbound ? samples : remote;
  const sent = inbound ? end.packetsReceived : end.packetsSent;
  const lost = last(network)?.packetsLost ?? 0;
  const seconds = (end.timestamp - samples[0].timestamp) / 1000;
  return {
    packets: sent,
    lost,
    loss: lost / (inbound ? sent + lost : sent),
    jitterMs: 1000 * mean(present(network.map(({ jitter }) => jitter))),
    jitterBufferMs: (1000 * end.jitterBufferDelay) / end.jitterBufferEmittedCount,
    healed: (end.concealedSamples - end.silentConcealedSamples) / end.totalSamplesReceived,
    rttMs: 1000 * mean(present(remote.map(({ roundTripTime }) => roundTripTime))),
    fps: mean(present(samples.map(({ framesPerSecond }) => framesPerSecond))),
    height: mean(present(samples.map(({ frameHeight }) => frameHeight))),
    freezeMsPerMin: (1000 * (end.totalFreezesDuration ?? NaN)) / (seconds / 60),
    bitrate: (8 * ((end.bytesReceived ?? end.bytesSent) - (samples[0].bytesReceived ?? samples[0].bytesSent))) / seconds,
    seconds,
  };
}

/** One line per stream. */
export function summarize(text) {
  return streams(text).map((stream) => {
    const end = last(stream.samples);
    const numbers = Object.entries(figures(stream))
      .filter(([, value]) => !Number.isNaN(value))
      .map(([name, value]) => `${name} ${Number(value.toFixed(3))}`);
    return `${end.type} ${end.contentType ?? end.kind} ssrc ${end.ssrc}: ${numbers.join(', ')}`;
  });
}
