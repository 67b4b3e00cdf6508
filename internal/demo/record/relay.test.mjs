import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';

import { throughRelay } from './call.mjs';
import { Relay, rtpSsrc } from './relay.mjs';

const HOST = '127.0.0.1';

async function peer() {
  const socket = dgram.createSocket('udp4');
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}

function rtp(ssrc, sequence) {
  const packet = Buffer.alloc(40);
  packet[0] = 0x80;
  packet[1] = 96;
  packet.writeUInt16BE(sequence, 2);
  packet.writeUInt32BE(ssrc, 8);
  return packet;
}

test('RTP is told from RTCP, STUN and DTLS', () => {
  const typed = (first, second) => {
    const packet = rtp(42, 1);
    packet[0] = first;
    packet[1] = second;
    return rtpSsrc(packet);
  };
  assert.deepEqual(
    [typed(0x80, 96), typed(0x80, 0xe0), typed(0x80, 200), typed(0, 1), typed(22, 254), rtpSsrc(Buffer.alloc(3))],
    [42, 42, null, null, null, null],
  );
});

test('what the relay counts is what arrives', { timeout: 20_000 }, async () => {
  const relay = await Relay.open(3);
  const [a, b, stranger] = [await peer(), await peer(), await peer()];
  try {
    relay.register(0, a.address().port);
    relay.register(1, b.address().port);
    relay.impair({ loss: 0.25, delayMs: 5, jitterMs: 3 });
    let arrived = 0;
    b.on('message', (packet) => { if (rtpSsrc(packet) === 42) arrived += 1; });
    const { port } = relay.address(0);
    const total = 400;
    for (let i = 0; i < total; i += 1) {
      a.send(rtp(42, i), port, HOST);
      stranger.send(rtp(43, i), port, HOST);
      if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const settled = () => {
      const counts = relay.counts()[0][42];
      return counts && counts.forwarded + counts.dropped === total && counts.forwarded === arrived;
    };
    while (!settled()) await new Promise((resolve) => setTimeout(resolve, 5));
    const [sent, back] = relay.counts();
    assert.deepEqual(Object.keys(sent), ['42'], 'a stranger gets through');
    assert.deepEqual(back, {});
    const { dropped } = sent[42];
    assert.ok(dropped > 0.15 * total && dropped < 0.35 * total, `dropped ${dropped} of ${total}`);
  } finally {
    for (const socket of [a, b, stranger]) socket.close();
    relay.close();
  }
});

test('only loopback UDP candidates are passed on, pointing at the relay', async () => {
  const relay = await Relay.open(3);
  try {
    const seen = (line) => throughRelay(relay, 0, { candidate: line })?.candidate ?? null;
    const { port } = relay.address(1);
    assert.equal(seen('candidate:1 1 udp 5 10.0.0.2 4000 typ host'), null);
    assert.equal(seen('candidate:1 1 tcp 5 127.0.0.1 9 typ host tcptype active'), null);
    assert.equal(seen('candidate:1 1 udp 5 127.0.0.1 4000 typ host'), `candidate:1 1 udp 5 127.0.0.1 ${port} typ host`);
    assert.equal(seen('candidate:1 1 udp 5 127.0.0.1 4001 typ host'), null, 'a second port would go around the counts');
  } finally {
    relay.close();
  }
});
