import { Activities, Capabilities, Lobby, Notices, Recording, Transcription, type CapabilityName } from "./features.js";
import { Chat } from "./chat.js";
import { LocalVideoStream, type DeviceManager } from "./devices.js";
import { UserFacingDiagnostics } from "./diagnostics.js";
import { Emitter } from "./emitter.js";
import { AnteroomError } from "./errors.js";
import { LocalMedia } from "./local-media.js";
import { MediaStats } from "./media-stats.js";
import { RemoteParticipant } from "./participants.js";
import type { Ended, Join, Joined, ParticipantKind, Participant, Resume, ServerEvents, Survey, TrackKind } from "./protocol.js";
import { Publisher } from "./publisher.js";
import { Session } from "./session.js";
import { AudioOutput } from "./streams.js";
import { Subscriber, type ReceivedTrack } from "./subscriber.js";

/** The states of a call, with the reference SDK's names. */
export type CallState = "None" | "Connecting" | "InLobby" | "Connected" | "Disconnecting" | "Disconnected";

/** Why a call ended: a stable reason and plain English. */
export interface CallEndReason {
  readonly reason: string;
  readonly message: string;
  /** Oneself ended the meeting for everybody. */
  readonly isOwn?: boolean;
}

export interface CallEvents {
  stateChanged: CallState;
  /** The wait has another reason now. */
  lobbyStateChanged: "waiting_for_host" | "in_lobby" | undefined;
  remoteParticipantsUpdated: { added: RemoteParticipant[]; removed: RemoteParticipant[] };
  activeSpeakersChanged: readonly RemoteParticipant[];
  isMutedChanged: boolean;
  /** An org user muted oneself. */
  mutedByOthers: undefined;
  localVideoChanged: LocalVideoStream | undefined;
  isScreenSharingOnChanged: boolean;
  /** The server stopped what one sent, for this reason. */
  trackStopped: { kind: TrackKind; reason: string };
  /** The connection was lost and is being made again, or is there again. */
  isReconnectingChanged: boolean;
  /** Keep it, and a page that is loaded anew within the grace comes back to the same place with `CallClient.resume`. */
  resumeTokenChanged: string;
  /** An org user was invited by another. */
  participantInvited: { user: string; by: string };
  /** Sending failed in the background, as after a reconnection. */
  error: AnteroomError;
}

/** For this library: what a call starts with. */
export interface CallOptions {
  url: string;
  join: Join | Resume;
  devices: DeviceManager;
  muted: boolean;
  microphone: boolean;
  camera: LocalVideoStream | undefined;
}

const CAPABILITY: Record<TrackKind, CapabilityName> = { audio: "unmuteMic", video: "turnVideoOn", screen: "shareScreen" };

/** Call is one stay in a meeting: from the door to the end. `CallClient.join` makes it. */
export class Call extends Emitter<CallEvents> {
  readonly lobby: Lobby;
  readonly capabilities = new Capabilities();
  readonly chat: Chat;
  readonly activities: Activities;
  readonly recording: Recording;
  readonly transcription: Transcription;
  readonly notices: Notices;
  readonly mediaStats: MediaStats;
  readonly diagnostics: UserFacingDiagnostics;

  readonly #session: Session;
  readonly #media: LocalMedia;
  readonly #audio = new AudioOutput();
  readonly #speakerOff: () => void;
  #publisher: Publisher | undefined;
  #subscriber: Subscriber | undefined;
  #state: CallState = "None";
  #lobbyState: "waiting_for_host" | "in_lobby" | undefined;
  #joined: Joined | undefined;
  #title = "";
  #displayName = "";
  #reconnecting = false;
  #endReason: CallEndReason | undefined;
  #resumeToken = "";
  #endsMeeting = false;
  readonly #participants = new Map<string, RemoteParticipant>();
  #speakers: RemoteParticipant[] = [];
  #received: ReceivedTrack[] = [];
  #roomTimer: ReturnType<typeof setTimeout> | undefined;

  /** For `CallClient`. */
  constructor(readonly options: CallOptions) {
    super();
    this.#session = new Session(options.url, {
      event: (type, body) => this.#event(type, body),
      reconnecting: () => this.#setReconnecting(true),
      resumed: (joined) => this.#resumed(joined),
      token: (token) => this.#setResumeToken(token),
      ended: (ended) => this.#ended(ended),
    });
    this.lobby = new Lobby(this.#session);
    this.recording = new Recording(this.#session);
    this.transcription = new Transcription(this.#session);
    this.notices = new Notices(this.#session, this.recording, this.transcription);
    this.activities = new Activities(this.#session, () => this.participantId);
    this.chat = new Chat(this.#session, () => ({ id: this.participantId, displayName: this.displayName, isExternal: this.kind === "guest" }));
    this.diagnostics = new UserFacingDiagnostics((name, value) => this.#session.tell("diagnostic", { name, value }));
    this.mediaStats = new MediaStats({
      peers: () => [this.#publisher?.peer, this.#subscriber?.peer].filter((peer) => peer !== undefined),
      trackOf: (peer, mid) => this.#trackOf(peer, mid),
      report: (tracks) => this.#session.tell("stats", { tracks }),
    });
    this.mediaStats.on("sampleReported", (sample) => this.diagnostics.judge(sample, this.localVideo !== undefined));
    this.#media = new LocalMedia(options.devices, this.diagnostics, options.muted);
    this.#media.onChange = (what) => this.#mediaChanged(what);
    this.#audio.onBlocked = (blocked) => this.diagnostics.set("speakerMuted", blocked);
    this.#speakerOff = options.devices.on("selectedSpeakerChanged", (speaker) => this.#audio.setSpeaker(speaker?.id ?? ""));
  }

  get state(): CallState {
    return this.#state;
  }

  /** Why one waits, while the state is InLobby. */
  get lobbyState(): "waiting_for_host" | "in_lobby" | undefined {
    return this.#lobbyState;
  }

  /** The call's id. */
  get id(): string {
    return this.#joined?.call_id ?? "";
  }

  /** One's own random id in this call. */
  get participantId(): string {
    return this.#joined?.participant_id ?? "";
  }

  /** What to tell support: the call's and one's own id. */
  get supportCode(): string {
    return this.#joined ? `${this.id}/${this.participantId}` : "";
  }

  /** What a page that is loaded anew comes back with. It stands for one's place: keep it as one keeps a password, and not beyond the call. */
  get resumeToken(): string {
    return this.#resumeToken;
  }

  get kind(): ParticipantKind {
    return this.#joined?.kind ?? "guest";
  }

  /** One's own name, as the others see it; empty until one is admitted. */
  get displayName(): string {
    return this.#displayName;
  }

  /** The hosting organisation's name. */
  get organization(): string {
    return this.#joined?.organization ?? "";
  }

  /** Empty until one is admitted. */
  get title(): string {
    return this.#title;
  }

  get isReconnecting(): boolean {
    return this.#reconnecting;
  }

  /** Why the call ended, once it has. */
  get callEndReason(): CallEndReason | undefined {
    return this.#endReason;
  }

  get remoteParticipants(): readonly RemoteParticipant[] {
    return [...this.#participants.values()];
  }

  /** The most active first. */
  get activeSpeakers(): readonly RemoteParticipant[] {
    return this.#speakers;
  }

  get isMuted(): boolean {
    return this.#media.isMuted;
  }

  /** One's own camera, while it is on. */
  get localVideo(): LocalVideoStream | undefined {
    return this.#media.camera;
  }

  get isScreenSharingOn(): boolean {
    return this.#media.screen !== undefined;
  }

  async mute(): Promise<void> {
    await this.#media.mute();
  }

  /** Fails with AnteroomError when there is no microphone, or one may not speak. */
  async unmute(): Promise<void> {
    this.#demand("audio");
    await this.#media.unmute();
  }

  async startVideo(stream: LocalVideoStream = new LocalVideoStream()): Promise<void> {
    this.#demand("video");
    await this.#media.startVideo(stream);
  }

  async stopVideo(): Promise<void> {
    await this.#media.stopVideo();
  }

  async startScreenSharing(): Promise<void> {
    this.#demand("screen");
    await this.#media.startScreenSharing();
  }

  async stopScreenSharing(): Promise<void> {
    await this.#media.stopScreenSharing();
  }

  /** Plays sound that the browser held back: call it from a click. */
  async resumeAudio(): Promise<void> {
    await this.#audio.resume();
  }

  /** Mutes somebody else; only that participant unmutes again. */
  async muteParticipant(participant: RemoteParticipant): Promise<void> {
    await this.#session.request("mute", { participant_id: participant.identifier });
  }

  /** Removes somebody from the meeting. */
  async removeParticipant(participant: RemoteParticipant): Promise<void> {
    await this.#session.request("remove", { participant_id: participant.identifier });
  }

  /** Invites a user of the organisation into the running meeting. */
  async addParticipant(user: string): Promise<void> {
    await this.#session.request("add_participant", { user });
  }

  /** Announces that a background effect is applied to the camera. */
  async announceBackgroundEffect(effect: "none" | "blur" | "image"): Promise<void> {
    await this.#session.request("background_effect", { effect });
  }

  /** Rates the call; do it before hanging up. */
  async submitSurvey(survey: Survey): Promise<void> {
    await this.#session.request("survey", survey);
  }

  /** Leaves; with `forEveryone` the meeting ends. */
  async hangUp(options: { forEveryone?: boolean } = {}): Promise<void> {
    if (this.#state === "Disconnected" || this.#state === "Disconnecting") return;
    if (options.forEveryone) await this.#endForEveryone();
    // The end that the server told is the end.
    if (this.#endReason) return;
    this.mediaStats.stop();
    this.#setState("Disconnecting");
    await this.#session.leave();
  }

  async #endForEveryone(): Promise<void> {
    this.#endsMeeting = true;
    try {
      await this.#session.request("end_meeting", {});
    } catch (error) {
      this.#endsMeeting = false;
      // The server may close before its reply is read.
      if (!this.#endReason) throw error;
    }
  }

  /** For `CallClient`: goes to the door. */
  async start(): Promise<void> {
    this.#setState("Connecting");
    this.diagnostics.start();
    try {
      // Who comes back has no time for the browser's questions: the place is kept for seconds only.
      const comesBack = "resume_token" in this.options.join;
      if (!comesBack) await this.#openDevices();
      this.#enter(await this.#session.join(this.options.join));
      if (comesBack) void this.#openDevices();
    } catch (error) {
      this.#close();
      this.#setState("Disconnected");
      throw error;
    }
  }

  /** Opens what is wanted from the start. A device that fails stops nothing: the diagnostics tell why. */
  async #openDevices(): Promise<void> {
    const { microphone, muted, camera } = this.options;
    if (microphone) await this.unmute().then(() => (muted ? this.mute() : undefined)).catch(() => undefined);
    if (camera) await this.startVideo(camera).catch(() => undefined);
  }

  #enter(joined: Joined): void {
    this.#joined = joined;
    this.capabilities.update(joined.capabilities, true);
    this.notices.replace(joined.notices ?? []);
    this.#enterState(joined.state, joined);
    this.lobby.update(joined.lobby ?? []);
  }

  /** Takes a state of the server: told by a join, a resume or an event. */
  #enterState(state: Joined["state"], told: { meeting_title?: string; roster?: Participant[] }): void {
    if (state === "waiting_for_host" || state === "in_lobby") {
      this.#lobbyState = state;
      this.#leaveMedia();
      this.#setState("InLobby");
      this.emit("lobbyStateChanged", state);
      return;
    }
    if (state !== "admitted") return;
    if (told.meeting_title !== undefined) this.#title = told.meeting_title;
    this.#lobbyState = undefined;
    this.#setRoster(told.roster ?? []);
    const first = this.#publisher === undefined;
    if (first) this.#openMedia();
    this.#setState("Connected");
    if (first) this.#startSending();
    if (this.capabilities.get("receiveChat").isPresent) void this.chat.reload().catch(() => undefined);
  }

  #openMedia(): void {
    this.#publisher = new Publisher(this.#session, this.#rtc());
    this.#publisher.onState = (state) => this.#peerState("publish", state);
    this.#subscriber = new Subscriber(this.#session, this.#rtc());
    this.#subscriber.onState = (state) => this.#peerState("subscribe", state);
    this.#subscriber.onTracks = (tracks) => this.#receive(tracks);
    this.mediaStats.start();
  }

  #startSending(): void {
    const publisher = this.#publisher;
    if (!publisher) return;
    this.#media.connect(publisher, (kind) => this.capabilities.get(CAPABILITY[kind]).isPresent).catch((error: unknown) => this.#failed(error));
  }

  #leaveMedia(): void {
    this.mediaStats.stop();
    this.#media.disconnect();
    this.#publisher?.close();
    this.#publisher = undefined;
    this.#subscriber?.close();
    this.#subscriber = undefined;
    this.#receive([]);
  }

  #rtc(): RTCConfiguration {
    return { iceServers: this.#joined?.ice_servers ?? [], bundlePolicy: "max-bundle" };
  }

  #resumed(joined: Joined): void {
    this.#setReconnecting(false);
    const sameStay = joined.participant_id === this.participantId;
    this.#joined = joined;
    if (!sameStay) this.chat.clear();
    this.capabilities.update(joined.capabilities, true);
    this.notices.replace(joined.notices ?? []);
    this.lobby.update(joined.lobby ?? []);
    const [publisher, subscriber] = [this.#publisher, this.#subscriber];
    if (joined.state === "admitted" && publisher && subscriber) {
      subscriber.resume(this.#rtc());
      publisher.resume(this.#rtc()).catch((error: unknown) => this.#failed(error));
    }
    this.#enterState(joined.state, joined);
  }

  #ended(ended: Ended): void {
    const isOwn = this.#endsMeeting;
    this.#endReason = isOwn ? { reason: "meeting_ended", message: "You ended the meeting for everybody.", isOwn } : { reason: ended.reason, message: ended.message };
    this.#close();
    this.#setState("Disconnected");
  }

  #close(): void {
    clearTimeout(this.#roomTimer);
    this.#leaveMedia();
    this.#media.close();
    this.#audio.close();
    this.#speakerOff();
    this.diagnostics.stop();
    this.#setRoster([]);
    this.lobby.update([]);
    this.chat.clear();
  }

  #event<K extends keyof ServerEvents>(type: K, body: ServerEvents[K]): void {
    const handler = this.#handlers[type] as ((body: ServerEvents[K]) => void) | undefined;
    handler?.(body);
  }

  readonly #handlers: { [K in keyof ServerEvents]?: (body: ServerEvents[K]) => void } = {
    state: (state) => this.#stateTold(state),
    capabilities_changed: (changed) => this.#capabilitiesTold(changed.capabilities),
    participant_joined: (line) => this.#putParticipant(line),
    participant_updated: (line) => this.#putParticipant(line),
    participant_left: (left) => this.#dropParticipants([left.participant_id]),
    lobby_updated: (updated) => this.lobby.update(updated.waiting ?? []),
    participant_invited: (invited) => this.emit("participantInvited", invited),
    subscribe_offer: (offer) => this.#subscriber?.offer(offer),
    candidate: ({ peer, ...candidate }) => (peer === "publish" ? this.#publisher : this.#subscriber)?.candidate(candidate),
    track_stopped: (stopped) => this.#trackStopped(stopped),
    muted: () => this.#mutedByOthers(),
    active_speakers: (active) => this.#setSpeakers(active.participant_ids ?? []),
    chat_message: (message) => this.chat.receive(message),
    chat_edited: (edit) => this.chat.edited(edit),
    chat_deleted: (by) => this.chat.deleted(by),
    chat_reaction: () => this.chat.reacted(),
    chat_typing: (by) => this.chat.typing(by),
    chat_read: (by) => this.chat.read(by),
    activity: (activity) => this.#activity(activity),
    notice: (notice) => this.notices.receive(notice),
    slides_live_hidden: (hidden) => this.activities.slides(hidden),
  };

  #stateTold(state: ServerEvents["state"]): void {
    if (state.capabilities) this.capabilities.update(state.capabilities, true);
    // Notices first: nothing flows before they are told.
    if (state.notices) this.notices.replace(state.notices);
    if (state.state === "rejected" || state.state === "timeout" || state.state === "gone") {
      this.#endReason = { reason: state.reason ?? state.state, message: state.message ?? "" };
      return;
    }
    this.#enterState(state.state, state);
  }

  #capabilitiesTold(grants: ServerEvents["capabilities_changed"]["capabilities"]): void {
    const before = new Set((Object.keys(CAPABILITY) as TrackKind[]).filter((kind) => this.capabilities.get(CAPABILITY[kind]).isPresent));
    const chatBefore = this.capabilities.get("receiveChat").isPresent;
    this.capabilities.update(grants, false);
    for (const kind of Object.keys(CAPABILITY) as TrackKind[]) {
      const may = this.capabilities.get(CAPABILITY[kind]).isPresent;
      // What was held back, as for consent, is sent now.
      if (may && !before.has(kind) && this.#state === "Connected") this.#startSending();
    }
    const chatNow = this.capabilities.get("receiveChat").isPresent;
    if (!chatNow && chatBefore) this.chat.clear();
    if (chatNow && !chatBefore && this.#state === "Connected") void this.chat.reload().catch(() => undefined);
  }

  #putParticipant(line: Participant): void {
    if (line.participant_id === this.participantId) {
      this.#displayName = line.display_name;
      this.activities.setHand(line.hand_raised ?? false);
      return;
    }
    const known = this.#participants.get(line.participant_id);
    if (known) {
      known.update(line);
    } else {
      const participant = new RemoteParticipant(line, { roomChanged: () => this.#roomChanged() });
      this.#participants.set(line.participant_id, participant);
      this.emit("remoteParticipantsUpdated", { added: [participant], removed: [] });
    }
    this.#deal();
  }

  #dropParticipants(ids: string[]): void {
    const removed: RemoteParticipant[] = [];
    for (const id of ids) {
      const participant = this.#participants.get(id);
      if (!participant) continue;
      this.#participants.delete(id);
      participant.leave();
      removed.push(participant);
    }
    if (removed.length === 0) return;
    this.#setSpeakers(this.#speakers.filter((s) => !removed.includes(s)).map((s) => s.identifier));
    this.emit("remoteParticipantsUpdated", { added: [], removed });
  }

  #setRoster(lines: Participant[]): void {
    const ids = new Set(lines.map((line) => line.participant_id));
    this.#dropParticipants([...this.#participants.keys()].filter((id) => !ids.has(id)));
    for (const line of lines) this.#putParticipant(line);
  }

  #setSpeakers(ids: string[]): void {
    this.#speakers = ids.map((id) => this.#participants.get(id)).filter((p) => p !== undefined);
    for (const participant of this.#participants.values()) participant.setSpeaking(this.#speakers.includes(participant));
    this.emit("activeSpeakersChanged", this.#speakers);
  }

  #receive(tracks: ReceivedTrack[]): void {
    this.#received = tracks;
    this.#audio.set(new Map(tracks.filter((t) => t.kind === "audio").map((t) => [t.track_id, t.track])));
    this.#deal();
  }

  /** Gives each participant its tracks: roster and offers may come in either order. */
  #deal(): void {
    for (const participant of this.#participants.values()) participant.receive(this.#received.filter((t) => t.participant_id === participant.identifier));
  }

  #roomChanged(): void {
    this.#roomTimer ??= setTimeout(() => {
      this.#roomTimer = undefined;
      const tracks = [];
      for (const participant of this.#participants.values()) {
        for (const stream of participant.videoStreams) {
          if (stream.room !== undefined) tracks.push({ track_id: stream.id, max_height: stream.room });
        }
      }
      if (this.#state === "Connected") this.#session.tell("receive", { tracks });
    }, 300);
  }

  #trackStopped(stopped: ServerEvents["track_stopped"]): void {
    this.#publisher?.stopped(stopped.kind);
    this.#media.stopped(stopped.kind);
    this.emit("trackStopped", { kind: stopped.kind, reason: stopped.reason });
  }

  #mutedByOthers(): void {
    this.#media.muted();
    void this.#publisher?.setMuted("audio", true).catch(() => undefined);
    this.emit("mutedByOthers", undefined);
  }

  #activity(activity: ServerEvents["activity"]): void {
    const raised = activity.kind === "raise_hand" ? true : activity.kind === "lower_hand" ? false : undefined;
    if (raised !== undefined) this.#participants.get(activity.participant_id ?? "")?.setHand(raised);
    this.activities.receive(activity);
  }

  #trackOf(peer: RTCPeerConnection, mid: string): { id: string; kind: TrackKind; direction: "send" | "receive" } | undefined {
    if (peer === this.#subscriber?.peer) {
      const track = this.#received.find((t) => t.mid === mid);
      return track && { id: track.track_id, kind: track.kind, direction: "receive" };
    }
    for (const kind of ["audio", "video", "screen"] as const) {
      const id = this.#publisher?.trackId(kind);
      if (id && this.#publisher?.transceiver(kind)?.mid === mid) return { id, kind, direction: "send" };
    }
    return undefined;
  }

  #peerState(side: "publish" | "subscribe", state: RTCPeerConnectionState): void {
    if (state === "connected") this.diagnostics.set("networkReconnect", "Good");
    if (state === "disconnected") this.diagnostics.set("networkReconnect", "Poor");
    if (state !== "failed") return;
    this.diagnostics.set("networkReconnect", "Bad");
    // The server restarts the side that it offers; the client its own.
    if (side === "publish" && !this.#reconnecting) this.#publisher?.restartIce().catch((error: unknown) => this.#failed(error));
  }

  #mediaChanged(what: "muted" | "video" | "screen"): void {
    if (what === "muted") this.emit("isMutedChanged", this.isMuted);
    if (what === "video") this.emit("localVideoChanged", this.localVideo);
    if (what === "screen") this.emit("isScreenSharingOnChanged", this.isScreenSharingOn);
  }

  /** Refuses early what the server would refuse; before admission anything may be prepared. */
  #demand(kind: TrackKind): void {
    if (this.#state !== "Connected") return;
    const capability = this.capabilities.get(CAPABILITY[kind]);
    if (capability.isPresent) return;
    const what = { audio: "speak", video: "turn the camera on", screen: "share the screen" }[kind];
    throw new AnteroomError(capability.reason || "policy_restricted", `You can't ${what} in this meeting just now.`);
  }

  #failed(error: unknown): void {
    if (error instanceof AnteroomError && error.reason !== "connection_lost") this.emit("error", error);
  }

  #setResumeToken(token: string): void {
    this.#resumeToken = token;
    this.emit("resumeTokenChanged", token);
  }

  #setReconnecting(reconnecting: boolean): void {
    this.#reconnecting = reconnecting;
    this.emit("isReconnectingChanged", reconnecting);
    this.diagnostics.set("networkReconnect", reconnecting ? "Bad" : "Good");
  }

  #setState(state: CallState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("stateChanged", state);
  }
}
