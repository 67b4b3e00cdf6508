import type { PeerSide, TrackIntent, TrackKind } from "./protocol.js";
import type { Session } from "./session.js";

/** The camera in three sizes, smallest first; the server forwards to each viewer the one it has room for. */
const CAMERA_LAYERS: RTCRtpEncodingParameters[] = [
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: "f", scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];
const SCREEN_LAYERS: RTCRtpEncodingParameters[] = [{ maxBitrate: 2_500_000, maxFramerate: 15 }];

interface Slot {
  kind: TrackKind;
  muted: boolean;
  transceiver: RTCRtpTransceiver;
}

/**
 * Publisher owns the peer connection that sends. The client offers; one negotiation runs at a time, and changes made meanwhile share the next.
 */
export class Publisher {
  readonly #session: Session;
  #config: RTCConfiguration;
  #peer: RTCPeerConnection | undefined;
  /** A track of null is paused: its section stays, so that it starts again without a negotiation. */
  readonly #wanted = new Map<TrackKind, { track: MediaStreamTrack | null; muted: boolean }>();
  readonly #slots = new Map<TrackKind, Slot>();
  #ids = new Map<TrackKind, string>();
  #running: Promise<void> | undefined;
  #again = false;
  #restartIce = false;
  #held: RTCIceCandidate[] | undefined;
  #early: RTCIceCandidateInit[] = [];
  #fingerprint = "";
  /** Called when the connection's state changes. */
  onState: (state: RTCPeerConnectionState) => void = () => undefined;

  constructor(session: Session, config: RTCConfiguration) {
    this.#session = session;
    this.#config = config;
  }

  /** The peer connection, for statistics. */
  get peer(): RTCPeerConnection | undefined {
    return this.#peer;
  }

  /** The server's id of the track of this kind, once it has one. */
  trackId(kind: TrackKind): string | undefined {
    return this.#ids.get(kind);
  }

  /** The transceiver that sends this kind. */
  transceiver(kind: TrackKind): RTCRtpTransceiver | undefined {
    return this.#slots.get(kind)?.transceiver;
  }

  /** Publishes a track, or replaces the one of its kind. */
  async publish(kind: TrackKind, track: MediaStreamTrack, muted: boolean): Promise<void> {
    const before = this.#slots.get(kind);
    this.#wanted.set(kind, { track, muted });
    if (before && before.transceiver.direction === "sendonly") {
      await before.transceiver.sender.replaceTrack(track);
      if (before.muted !== muted) await this.setMuted(kind, muted);
      return;
    }
    await this.negotiate();
  }

  /** Sends nothing of this kind any more: for the others it is muted, and starts again at once when it is published again. */
  async pause(kind: TrackKind): Promise<void> {
    const slot = this.#slots.get(kind);
    if (!slot) {
      this.#wanted.delete(kind);
      return;
    }
    this.#wanted.set(kind, { track: null, muted: true });
    await slot.transceiver.sender.replaceTrack(null);
    await this.setMuted(kind, true);
  }

  /** Mutes or unmutes: the others are told, the device stays open. */
  async setMuted(kind: TrackKind, muted: boolean): Promise<void> {
    const wanted = this.#wanted.get(kind);
    if (wanted) wanted.muted = muted;
    const id = this.#ids.get(kind);
    const slot = this.#slots.get(kind);
    // Without an id yet the negotiation that is under way tells of it.
    if (!id || !slot) return;
    slot.muted = muted;
    await this.#session.request("set_track", { track_id: id, muted });
  }

  /** Notes that the server stopped a track. */
  stopped(kind: TrackKind): void {
    this.#wanted.delete(kind);
    this.#ids.delete(kind);
    const slot = this.#slots.get(kind);
    if (!slot) return;
    // The section is not used again: servers don't take up a stopped simulcast section anew.
    this.#slots.delete(kind);
    slot.transceiver.direction = "inactive";
    void slot.transceiver.sender.replaceTrack(null);
  }

  /** Adds a candidate of the server. */
  candidate(candidate: RTCIceCandidateInit): void {
    if (!this.#peer?.remoteDescription) this.#early.push(candidate);
    else void this.#peer.addIceCandidate(candidate).catch(() => undefined);
  }

  /** After a resume: finds the way again, over the same peer connection if it still lives, over a new one otherwise. */
  async resume(config: RTCConfiguration): Promise<void> {
    this.#config = config;
    const alive = this.#peer?.connectionState === "connected" || this.#peer?.connectionState === "disconnected";
    if (alive) this.#restartIce = true;
    else this.#drop();
    if (this.#wanted.size > 0) await this.negotiate();
  }

  /** Looks for another network path. */
  async restartIce(): Promise<void> {
    this.#restartIce = true;
    await this.negotiate();
  }

  close(): void {
    this.#wanted.clear();
    this.#drop();
  }

  /** Offers what is wanted now; resolves when the server has answered all that was asked so far. */
  negotiate(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = (async () => {
      do {
        this.#again = false;
        await this.#offer();
      } while (this.#again);
    })().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #offer(): Promise<void> {
    const peer = this.#peer ?? this.#open();
    await this.#arrange(peer);
    if (this.#restartIce) peer.restartIce();
    this.#restartIce = false;
    this.#held = [];
    await peer.setLocalDescription(await peer.createOffer());
    const published = this.#session.request("publish", { sdp: peer.localDescription?.sdp ?? "", tracks: this.#intents() });
    this.#release("publish");
    let answer;
    try {
      answer = await published;
    } catch (error) {
      if (peer === this.#peer && peer.signalingState === "have-local-offer") await peer.setLocalDescription({ type: "rollback" }).catch(() => undefined);
      throw error;
    }
    if (peer !== this.#peer) return;
    const fingerprint = /a=fingerprint:(.*)/.exec(answer.sdp)?.[1] ?? "";
    if (this.#fingerprint && fingerprint !== this.#fingerprint) {
      // Another server answers: its keys don't fit the connection of before.
      this.#drop();
      this.#again = true;
      return;
    }
    this.#fingerprint = fingerprint;
    await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    for (const candidate of this.#early.splice(0)) void peer.addIceCandidate(candidate).catch(() => undefined);
    this.#ids = this.#idsOf(answer.tracks ?? {});
    await this.#tellMuted();
  }

  /** Makes the transceivers fit what is wanted. */
  async #arrange(peer: RTCPeerConnection): Promise<void> {
    for (const [kind, { track, muted }] of this.#wanted) {
      const slot = this.#slots.get(kind);
      if (slot) {
        slot.muted = muted;
        await slot.transceiver.sender.replaceTrack(track);
        continue;
      }
      if (!track) continue;
      const encodings = kind === "video" ? CAMERA_LAYERS : kind === "screen" ? SCREEN_LAYERS : undefined;
      const transceiver = peer.addTransceiver(track, { direction: "sendonly", ...(encodings && { sendEncodings: encodings.map((e) => ({ ...e })) }) });
      this.#slots.set(kind, { kind, muted, transceiver });
    }
  }

  #intents(): TrackIntent[] {
    const intents: TrackIntent[] = [];
    for (const { kind, muted, transceiver } of this.#slots.values()) {
      if (transceiver.direction === "sendonly" && transceiver.mid !== null) intents.push({ mid: transceiver.mid, kind, muted });
    }
    return intents;
  }

  #idsOf(byMid: Record<string, string>): Map<TrackKind, string> {
    const ids = new Map<TrackKind, string>();
    for (const { kind, transceiver } of this.#slots.values()) {
      const id = transceiver.mid === null ? undefined : byMid[transceiver.mid];
      if (id && transceiver.direction === "sendonly") ids.set(kind, id);
    }
    return ids;
  }

  /** Tells of mutes that were made while the offer was on its way. */
  async #tellMuted(): Promise<void> {
    for (const [kind, slot] of this.#slots) {
      const wanted = this.#wanted.get(kind);
      const id = this.#ids.get(kind);
      if (!wanted || !id || wanted.muted === slot.muted) continue;
      slot.muted = wanted.muted;
      await this.#session.request("set_track", { track_id: id, muted: wanted.muted });
    }
  }

  #open(): RTCPeerConnection {
    const peer = new RTCPeerConnection(this.#config);
    this.#peer = peer;
    this.#held = [];
    peer.onicecandidate = ({ candidate }) => {
      if (!candidate || peer !== this.#peer) return;
      if (this.#held) this.#held.push(candidate);
      else this.#session.tell("candidate", wireCandidate("publish", candidate));
    };
    peer.onconnectionstatechange = () => {
      if (peer === this.#peer) this.onState(peer.connectionState);
    };
    return peer;
  }

  #release(side: PeerSide): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const candidate of held) this.#session.tell("candidate", wireCandidate(side, candidate));
  }

  #drop(): void {
    this.#peer?.close();
    this.#peer = undefined;
    this.#slots.clear();
    this.#ids.clear();
    this.#early = [];
    this.#fingerprint = "";
  }
}

/** A browser's candidate as the protocol has it. */
export function wireCandidate(peer: PeerSide, candidate: RTCIceCandidate): { peer: PeerSide; candidate: string; sdpMid?: string; sdpMLineIndex?: number } {
  return {
    peer,
    candidate: candidate.candidate,
    ...(candidate.sdpMid !== null && { sdpMid: candidate.sdpMid }),
    ...(candidate.sdpMLineIndex !== null && { sdpMLineIndex: candidate.sdpMLineIndex }),
  };
}
