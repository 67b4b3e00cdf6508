import { Emitter } from "./emitter.js";
import type { Participant, ParticipantKind } from "./protocol.js";
import { RemoteVideoStream, streamType, type StreamOwner } from "./streams.js";
import type { ReceivedTrack } from "./subscriber.js";

export interface RemoteParticipantEvents {
  /** Anything about the participant changed other than its streams. */
  updated: RemoteParticipant;
  videoStreamsUpdated: { added: RemoteVideoStream[]; removed: RemoteVideoStream[] };
  isMutedChanged: boolean;
  isSpeakingChanged: boolean;
}

/** RemoteParticipant is somebody else in the meeting. Who is external is the server's word. */
export class RemoteParticipant extends Emitter<RemoteParticipantEvents> {
  readonly #owner: StreamOwner;
  #line: Participant;
  #streams: RemoteVideoStream[] = [];
  #speaking = false;

  constructor(line: Participant, owner: StreamOwner) {
    super();
    this.#line = line;
    this.#owner = owner;
    this.#arrange();
  }

  /** The participant's random id in this call. */
  get identifier(): string {
    return this.#line.participant_id;
  }

  get displayName(): string {
    return this.#line.display_name;
  }

  get kind(): ParticipantKind {
    return this.#line.kind;
  }

  /** A guest: label it as external wherever it is shown. */
  get isExternal(): boolean {
    return this.#line.external;
  }

  /** A room device of the organisation. */
  get isRoomDevice(): boolean {
    return this.#line.room_device ?? false;
  }

  /** "Idle" while its connection is lost and it may still come back. */
  get state(): "Connected" | "Idle" {
    return this.#line.connected ? "Connected" : "Idle";
  }

  /** No audio comes from it. */
  get isMuted(): boolean {
    return !(this.#line.tracks ?? []).some((track) => track.kind === "audio" && !track.muted);
  }

  get isSpeaking(): boolean {
    return this.#speaking;
  }

  get isHandRaised(): boolean {
    return this.#line.hand_raised ?? false;
  }

  /** Cameras and screens that it shares now. */
  get videoStreams(): readonly RemoteVideoStream[] {
    return this.#streams;
  }

  /** For this library: a new roster line. */
  update(line: Participant): void {
    const muted = this.isMuted;
    this.#line = line;
    this.#arrange();
    this.emit("updated", this);
    if (this.isMuted !== muted) this.emit("isMutedChanged", this.isMuted);
  }

  /** For this library: it is gone, and so are its streams. */
  leave(): void {
    this.update({ ...this.#line, tracks: [], connected: false });
  }

  /** For this library: whether it is among the active speakers. */
  setSpeaking(speaking: boolean): void {
    if (speaking === this.#speaking) return;
    this.#speaking = speaking;
    this.emit("isSpeakingChanged", speaking);
  }

  /** For this library: the hand, as told by an activity. */
  setHand(raised: boolean): void {
    if (raised === this.isHandRaised) return;
    this.#line = { ...this.#line, hand_raised: raised };
    this.emit("updated", this);
  }

  /** For this library: what arrives. */
  receive(tracks: ReceivedTrack[]): void {
    for (const stream of this.#streams) stream.setTrack(tracks.find((track) => track.track_id === stream.id)?.track);
  }

  #arrange(): void {
    const lines = (this.#line.tracks ?? []).filter((track) => streamType(track.kind) && !track.muted);
    const removed = this.#streams.filter((stream) => !lines.some((line) => line.track_id === stream.id));
    const added: RemoteVideoStream[] = [];
    for (const line of lines) {
      const type = streamType(line.kind);
      if (!type || this.#streams.some((stream) => stream.id === line.track_id)) continue;
      added.push(new RemoteVideoStream(line.track_id, type, this.#owner));
    }
    if (added.length === 0 && removed.length === 0) return;
    this.#streams = [...this.#streams.filter((stream) => !removed.includes(stream)), ...added];
    for (const stream of removed) stream.setTrack(undefined);
    this.emit("videoStreamsUpdated", { added, removed });
  }
}

/** LobbyParticipant is somebody who waits before the door. */
export interface LobbyParticipant {
  readonly identifier: string;
  readonly displayName: string;
  readonly kind: ParticipantKind;
  readonly isExternal: boolean;
  /** `waiting_for_host` while no org user is in the meeting. */
  readonly state: "waiting_for_host" | "in_lobby";
  readonly since: Date;
}
