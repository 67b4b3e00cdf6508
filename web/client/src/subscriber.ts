import type { SubscribeOffer, SubscribedTrack } from "./protocol.js";
import { wireCandidate } from "./publisher.js";
import type { Session } from "./session.js";

/** A track that arrives. */
export interface ReceivedTrack extends SubscribedTrack {
  track: MediaStreamTrack;
}

/**
 * Subscriber owns the peer connection that receives. The server offers; offers are answered in order, and one that a newer one has overtaken
 * is not answered at all.
 */
export class Subscriber {
  readonly #session: Session;
  #config: RTCConfiguration;
  #peer: RTCPeerConnection | undefined;
  #newest = 0;
  #queue: Promise<void> = Promise.resolve();
  #early: RTCIceCandidateInit[] = [];
  #held: RTCIceCandidate[] | undefined = [];
  #fingerprint = "";
  /** Called with everything that arrives, whenever that changed. */
  onTracks: (tracks: ReceivedTrack[]) => void = () => undefined;
  onState: (state: RTCPeerConnectionState) => void = () => undefined;

  constructor(session: Session, config: RTCConfiguration) {
    this.#session = session;
    this.#config = config;
  }

  /** The peer connection, for statistics. */
  get peer(): RTCPeerConnection | undefined {
    return this.#peer;
  }

  /** Takes an offer of the server. */
  offer(offer: SubscribeOffer): void {
    this.#newest = offer.version;
    this.#queue = this.#queue.then(() => this.#answer(offer)).catch(() => undefined);
  }

  /** Adds a candidate of the server. */
  candidate(candidate: RTCIceCandidateInit): void {
    if (!this.#peer?.remoteDescription) this.#early.push(candidate);
    else void this.#peer.addIceCandidate(candidate).catch(() => undefined);
  }

  /** After a resume the server offers anew; a connection that no longer works is not kept for it. */
  resume(config: RTCConfiguration): void {
    this.#config = config;
    this.#newest = 0;
    if (this.#peer && this.#peer.connectionState !== "connected" && this.#peer.connectionState !== "disconnected") this.#drop();
  }

  close(): void {
    this.#drop();
  }

  async #answer(offer: SubscribeOffer): Promise<void> {
    if (offer.version < this.#newest) return;
    const fingerprint = /a=fingerprint:(.*)/.exec(offer.sdp)?.[1] ?? "";
    if (this.#fingerprint && fingerprint !== this.#fingerprint) this.#drop();
    this.#fingerprint = fingerprint;
    const peer = this.#peer ?? this.#open();
    await peer.setRemoteDescription({ type: "offer", sdp: offer.sdp });
    for (const candidate of this.#early.splice(0)) void peer.addIceCandidate(candidate).catch(() => undefined);
    await peer.setLocalDescription(await peer.createAnswer());
    // The transceivers are this offer's now: tell of them even if a newer offer is waiting, which comes next in the queue.
    this.onTracks(this.#received(peer, offer.tracks ?? []));
    if (offer.version < this.#newest || peer !== this.#peer) return;
    const answered = this.#session.request("subscribe_answer", { version: offer.version, sdp: peer.localDescription?.sdp ?? "" });
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const candidate of held) this.#session.tell("candidate", wireCandidate("subscribe", candidate));
    await answered;
  }

  #received(peer: RTCPeerConnection, tracks: SubscribedTrack[]): ReceivedTrack[] {
    const byMid = new Map(peer.getTransceivers().map((t) => [t.mid, t.receiver.track]));
    const received: ReceivedTrack[] = [];
    for (const subscribed of tracks) {
      const track = byMid.get(subscribed.mid);
      if (track) received.push({ ...subscribed, track });
    }
    return received;
  }

  #open(): RTCPeerConnection {
    const peer = new RTCPeerConnection(this.#config);
    this.#peer = peer;
    this.#held = [];
    peer.onicecandidate = ({ candidate }) => {
      if (!candidate || peer !== this.#peer) return;
      if (this.#held) this.#held.push(candidate);
      else this.#session.tell("candidate", wireCandidate("subscribe", candidate));
    };
    peer.onconnectionstatechange = () => {
      if (peer === this.#peer) this.onState(peer.connectionState);
    };
    return peer;
  }

  #drop(): void {
    this.#peer?.close();
    this.#peer = undefined;
    this.#early = [];
    this.#fingerprint = "";
    this.onTracks([]);
  }
}
