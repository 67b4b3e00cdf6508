import { Emitter } from "./emitter.js";
import type { Activity, ActivityKind, Grants, Notice, ServerEvents, Waiting } from "./protocol.js";
import type { LobbyParticipant } from "./participants.js";
import type { Session } from "./session.js";

/** The names of capabilities. The set is closed; newer servers may have more. */
export type CapabilityName =
  | "unmuteMic" | "turnVideoOn" | "shareScreen" | "receiveMedia"
  | "sendChat" | "receiveChat" | "editChat" | "deleteChat" | "sendTyping" | "sendReadReceipts" | "replyChat" | "reactChat" | "shareFile"
  | "addParticipant" | "removeParticipant" | "muteOthers" | "manageLobby" | "hangUpForEveryone"
  | "startRecording" | "startTranscription" | "backgroundEffect"
  | "useReactions" | "raiseHand" | "usePolls" | "useQuestionsAndAnswers" | "togetherMode" | "breakoutRooms" | "slidesLive" | "closedCaptions";

/** Whether one may do something now, and if not, the stable reason. */
export interface Capability {
  readonly isPresent: boolean;
  readonly reason: string;
}

/** Capabilities knows what oneself may do now. The server pushes each change and enforces it. */
export class Capabilities extends Emitter<{ capabilitiesChanged: { newValue: ReadonlyMap<string, Capability>; oldValue: ReadonlyMap<string, Capability> } }> {
  #all = new Map<string, Capability>();

  /** All of them by name. */
  get capabilities(): ReadonlyMap<string, Capability> {
    return this.#all;
  }

  /** One of them; what the server has not named is not present. */
  get(name: CapabilityName): Capability {
    return this.#all.get(name) ?? { isPresent: false, reason: "not_admitted" };
  }

  /** For this library: takes what changed, or everything. */
  update(grants: Grants, all: boolean): void {
    const oldValue = new Map<string, Capability>();
    const newValue = new Map<string, Capability>();
    const next = new Map(all ? [] : this.#all);
    for (const [name, grant] of Object.entries(grants)) {
      const before = this.#all.get(name);
      const now = { isPresent: grant.allowed, reason: grant.reason ?? "" };
      next.set(name, now);
      if (before && before.isPresent === now.isPresent && before.reason === now.reason) continue;
      if (before) oldValue.set(name, before);
      newValue.set(name, now);
    }
    this.#all = next;
    if (newValue.size > 0) this.emit("capabilitiesChanged", { newValue, oldValue });
  }
}

export interface LobbyEvents {
  lobbyParticipantsUpdated: { added: LobbyParticipant[]; removed: LobbyParticipant[] };
}

/** Lobby has who waits before the door; it is empty for those who may not manage it. */
export class Lobby extends Emitter<LobbyEvents> {
  readonly #session: Session;
  #waiting: LobbyParticipant[] = [];

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  /** Everybody who waits, oldest first. */
  get participants(): readonly LobbyParticipant[] {
    return this.#waiting;
  }

  async admit(...identifiers: string[]): Promise<void> {
    await this.#session.request("admit", { participant_ids: identifiers });
  }

  async admitAll(): Promise<void> {
    await this.#session.request("admit_all", {});
  }

  async reject(...identifiers: string[]): Promise<void> {
    await this.#session.request("reject", { participant_ids: identifiers });
  }

  /** For this library: the whole list. */
  update(lines: Waiting[]): void {
    const before = this.#waiting;
    this.#waiting = lines.map((line) => ({
      identifier: line.participant_id,
      displayName: line.display_name,
      kind: line.kind,
      isExternal: line.external,
      state: line.state,
      since: new Date(line.since),
    }));
    const ids = new Set(this.#waiting.map((p) => p.identifier));
    const known = new Set(before.map((p) => p.identifier));
    this.emit("lobbyParticipantsUpdated", {
      added: this.#waiting.filter((p) => !known.has(p.identifier)),
      removed: before.filter((p) => !ids.has(p.identifier)),
    });
  }
}

export interface RecordingEvents {
  isRecordingActiveChanged: boolean;
}

/** Recording tells whether the meeting is being recorded; org users start and stop it. */
export class Recording extends Emitter<RecordingEvents> {
  readonly #session: Session;
  #active = false;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  get isRecordingActive(): boolean {
    return this.#active;
  }

  async start(): Promise<void> {
    await this.#session.request("start_recording", {});
  }

  async stop(): Promise<void> {
    await this.#session.request("stop_recording", {});
  }

  /** For this library. */
  set(active: boolean): void {
    if (active === this.#active) return;
    this.#active = active;
    this.emit("isRecordingActiveChanged", active);
  }
}

export interface TranscriptionEvents {
  isTranscriptionActiveChanged: boolean;
}

/** Transcription tells whether the meeting is being transcribed; org users start and stop it. */
export class Transcription extends Emitter<TranscriptionEvents> {
  readonly #session: Session;
  #active = false;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  get isTranscriptionActive(): boolean {
    return this.#active;
  }

  async start(): Promise<void> {
    await this.#session.request("start_transcription", {});
  }

  async stop(): Promise<void> {
    await this.#session.request("stop_transcription", {});
  }

  /** For this library. */
  set(active: boolean): void {
    if (active === this.#active) return;
    this.#active = active;
    this.emit("isTranscriptionActiveChanged", active);
  }
}

export interface NoticesEvents {
  /** A notice came: show it in plain sight, then call `acknowledge`. */
  notice: Notice;
  /** What holds now changed. */
  activeChanged: readonly Notice[];
}

/**
 * Notices are what everybody must be told: that the meeting is being recorded or transcribed, or not any more. An application shows each one,
 * keeps it in sight while it holds, and acknowledges it once it is shown.
 */
export class Notices extends Emitter<NoticesEvents> {
  readonly #session: Session;
  readonly #recording: Recording;
  readonly #transcription: Transcription;
  #active: Notice[] = [];
  readonly #answers = new Map<string, boolean>();

  constructor(session: Session, recording: Recording, transcription: Transcription) {
    super();
    this.#session = session;
    this.#recording = recording;
    this.#transcription = transcription;
  }

  /** The notices that hold now: at most one of recording and one of transcription. */
  get active(): readonly Notice[] {
    return this.#active;
  }

  /** What was answered to a notice that asks for consent: no media is sent unless it is given. Undefined: nothing is asked. */
  consentState(notice: Notice): "required" | "given" | "declined" | undefined {
    if (!notice.consent_required) return undefined;
    const answer = this.#answers.get(notice.notice_id);
    return answer === undefined ? "required" : answer ? "given" : "declined";
  }

  /** Says that the notice is shown. */
  async acknowledge(notice: Notice): Promise<void> {
    await this.#session.request("notice_ack", { notice_id: notice.notice_id });
  }

  /** Answers a notice that asks for consent. Who declines sends no media. */
  async consent(notice: Notice, accepted: boolean): Promise<void> {
    await this.#session.request("consent", { notice_id: notice.notice_id, accepted });
    this.#answers.set(notice.notice_id, accepted);
    this.emit("activeChanged", this.#active);
  }

  /** For this library: everything that holds. */
  replace(notices: Notice[]): void {
    const known = new Set(this.#active.map((n) => n.notice_id));
    this.#active = notices.filter((n) => n.kind.endsWith("_started"));
    this.#tell(notices.filter((n) => !known.has(n.notice_id)));
  }

  /** For this library: one that came. */
  receive(notice: Notice): void {
    const subject = notice.kind.slice(0, notice.kind.indexOf("_"));
    this.#active = this.#active.filter((n) => !n.kind.startsWith(subject));
    if (notice.kind.endsWith("_started")) this.#active.push(notice);
    this.#tell([notice]);
  }

  #tell(news: Notice[]): void {
    for (const notice of news) this.emit("notice", notice);
    this.emit("activeChanged", this.#active);
    this.#recording.set(this.#active.some((n) => n.kind === "recording_started"));
    this.#transcription.set(this.#active.some((n) => n.kind === "transcription_started"));
  }
}

export interface ActivitiesEvents {
  /** Something an org user did, oneself included: guests get none. */
  activity: Activity;
  /** A presentation runs that is rendered on each client, and not for guests. */
  slidesLiveHidden: { isRunning: boolean; reason: string };
  /** One's own hand went up or down. */
  isHandRaisedChanged: boolean;
}

/** Activities are reactions, raised hands, polls, questions: among org users only. */
export class Activities extends Emitter<ActivitiesEvents> {
  readonly #session: Session;
  readonly #self: () => string;
  #handRaised = false;

  constructor(session: Session, self: () => string) {
    super();
    this.#session = session;
    this.#self = self;
  }

  /** Whether one's own hand is raised. */
  get isHandRaised(): boolean {
    return this.#handRaised;
  }

  /** Sends a reaction, such as "👍". */
  async react(reaction: string): Promise<void> {
    await this.send("reaction", { reaction });
  }

  async raiseHand(): Promise<void> {
    await this.send("raise_hand");
    this.setHand(true);
  }

  async lowerHand(): Promise<void> {
    await this.send("lower_hand");
    this.setHand(false);
  }

  /** Sends any kind of activity; `data` is at most 16 KiB of JSON. */
  async send(kind: ActivityKind, data?: unknown): Promise<void> {
    const activity = { kind, ...(data !== undefined && { data }) };
    await this.#session.request("activity", activity);
    // The server tells everybody but the sender.
    this.emit("activity", { ...activity, participant_id: this.#self() });
  }

  /** For this library. */
  receive(activity: Activity): void {
    this.emit("activity", activity);
  }

  /** For this library: one's own hand, as the server has it. */
  setHand(raised: boolean): void {
    if (raised === this.#handRaised) return;
    this.#handRaised = raised;
    this.emit("isHandRaisedChanged", raised);
  }

  /** For this library. */
  slides(hidden: ServerEvents["slides_live_hidden"]): void {
    this.emit("slidesLiveHidden", { isRunning: hidden.running, reason: hidden.reason });
  }
}
