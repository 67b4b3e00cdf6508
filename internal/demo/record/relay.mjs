// A UDP relay between two browsers on loopback that drops and delays datagrams.
// Kernels in containers often lack netem, a relay needs no privilege and no module;
// and because an SRTP header is in the clear, it can say per SSRC what it dropped.
import dgram from 'node:dgram';
import { once } from 'node:events';

import { seeded } from './random.mjs';

const LOOPBACK = '127.0.0.1';

/** No impairment: what the relay does until told otherwise. */
export const CLEAR = Object.freeze({ loss: 0, delayMs: 0, jitterMs: 0 });

/**
 * The SSRC of an RTP packet, or null for RTCP, STUN and DTLS (RFC 7983, RFC 5761).
 * @param {Buffer} packet
 */
export function rtpSsrc(packet) {
  if (packet.length < 12 || packet[0] >> 6 !== 2) return null;
  const type = packet[1];
  if (type >= 192 && type <= 223) return null;
  return packet.readUInt32BE(8);
}

/** One way through the relay: what it drops, delays and counts. */
class Direction {
  constructor(seed) {
    this.random = seeded(seed);
    this.impairment = CLEAR;
    this.streams = new Map();
  }

  /** @returns {number|null} delay in milliseconds, or null when the packet is dropped */
  decide(packet) {
    const { loss, delayMs, jitterMs } = this.impairment;
    // Both values are always drawn, so that a phase's loss doesn't depend on its jitter.
    const drop = this.random() < loss;
    const spread = (this.random() * 2 - 1) * jitterMs;
    this.count(packet, drop);
    return drop ? null : Math.max(0, delayMs + spread);
  }

  count(packet, dropped) {
    const ssrc = rtpSsrc(packet);
    if (ssrc === null) return;
    const counts = this.streams.get(ssrc) ?? { forwarded: 0, dropped: 0 };
    counts[dropped ? 'dropped' : 'forwarded'] += 1;
    this.streams.set(ssrc, counts);
  }
}

/**
 * Relay between side 0 and side 1. Each side is told that the other one lives at
 * `address(side)`; datagrams from anywhere but a side's own registered port are ignored,
 * so that no path around the relay comes into being.
 */
export class Relay {
  static async open(seed) {
    const relay = new Relay(seed);
    for (const side of [0, 1]) {
      relay.sockets[side].on('message', (packet, from) => relay.#receive(side, packet, from));
      relay.sockets[side].bind(0, LOOPBACK);
      await once(relay.sockets[side], 'listening');
    }
    return relay;
  }

  constructor(seed) {
    this.sockets = [dgram.createSocket('udp4'), dgram.createSocket('udp4')];
    this.ports = [null, null]; // each browser's own port, known from its first candidate
    this.directions = [new Direction(seed), new Direction(seed + 1)]; // [0] carries what side 0 sends
    this.timers = new Set();
  }

  /** Where `side` must send to reach the other one. */
  address(side) {
    return { host: LOOPBACK, port: this.sockets[side].address().port };
  }

  /** Tells the relay on which loopback port `side` listens; the first one stays. */
  register(side, port) {
    this.ports[side] ??= port;
    return this.ports[side] === port;
  }

  /** Applies one impairment (loss as a ratio, delays in ms, jitter uniform in ±jitterMs) both ways. */
  impair(impairment) {
    for (const direction of this.directions) direction.impairment = impairment;
  }

  /** RTP packets forwarded and dropped, by the sending side and SSRC. */
  counts() {
    return this.directions.map((direction) => Object.fromEntries(direction.streams));
  }

  close() {
    for (const timer of this.timers) clearTimeout(timer);
    for (const socket of this.sockets) socket.close();
  }

  #receive(side, packet, from) {
    if (from.address !== LOOPBACK || from.port !== this.ports[side]) return;
    const delay = this.directions[side].decide(packet);
    if (delay === null) return;
    if (delay === 0) {
      this.#send(1 - side, packet);
      return;
    }
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.#send(1 - side, packet);
    }, delay);
    this.timers.add(timer);
  }

  #send(side, packet) {
    if (this.ports[side] !== null) this.sockets[side].send(packet, this.ports[side], LOOPBACK);
  }
}
