import { Emitter } from "./emitter.js";
import type { MediaStatsSample, StreamSample } from "./media-stats.js";

/** Good, Poor or Bad, as the reference SDK's DiagnosticQuality. */
export type DiagnosticQuality = "Good" | "Poor" | "Bad";

/** The diagnostics by name, with the reference SDK's names: flags, and qualities of the network. */
export interface DiagnosticValues {
  noNetwork: boolean;
  networkRelaysNotReachable: boolean;
  networkReconnect: DiagnosticQuality;
  networkReceiveQuality: DiagnosticQuality;
  networkSendQuality: DiagnosticQuality;
  noMicrophoneDevicesEnumerated: boolean;
  noSpeakerDevicesEnumerated: boolean;
  microphonePermissionDenied: boolean;
  microphoneNotFunctioning: boolean;
  microphoneMuteUnexpectedly: boolean;
  speakingWhileMicrophoneIsMuted: boolean;
  cameraPermissionDenied: boolean;
  cameraStartFailed: boolean;
  cameraStoppedUnexpectedly: boolean;
  cameraFreeze: boolean;
  capturerStartFailed: boolean;
  capturerStoppedUnexpectedly: boolean;
  screenshareRecordingDisabled: boolean;
  /** The browser plays no sound before the user does something: call `Call.resumeAudio` from a click. */
  speakerMuted: boolean;
}
export type DiagnosticName = keyof DiagnosticValues;

/** One change. */
export interface DiagnosticChanged {
  diagnostic: DiagnosticName;
  value: boolean | DiagnosticQuality;
}

/** Seconds without a new frame before a camera counts as frozen. */
const FREEZE_SAMPLES = 4;
/** Share of packets lost from which the network is poor and bad. */
const POOR_LOSS = 0.04;
const BAD_LOSS = 0.1;

/** UserFacingDiagnostics tells of what the user would notice, and may be able to mend. Each change also goes to the server. */
export class UserFacingDiagnostics extends Emitter<{ diagnosticChanged: DiagnosticChanged }> {
  readonly #values = new Map<DiagnosticName, boolean | DiagnosticQuality>();
  readonly #report: (name: string, value: string) => void;
  #frozen = 0;
  readonly #network = (): void => this.set("noNetwork", !navigator.onLine);

  constructor(report: (name: string, value: string) => void) {
    super();
    this.#report = report;
  }

  /** The latest values; what was never set is fine. */
  get latest(): ReadonlyMap<DiagnosticName, boolean | DiagnosticQuality> {
    return this.#values;
  }

  /** For this library. */
  start(): void {
    addEventListener("online", this.#network);
    addEventListener("offline", this.#network);
  }

  /** For this library. */
  stop(): void {
    removeEventListener("online", this.#network);
    removeEventListener("offline", this.#network);
  }

  /** For this library: sets a value, and tells of it if it changed. */
  set<K extends DiagnosticName>(name: K, value: DiagnosticValues[K]): void {
    const fine = value === false || value === "Good";
    const before = this.#values.get(name);
    if (before === value || (before === undefined && fine)) return;
    this.#values.set(name, value);
    this.emit("diagnosticChanged", { diagnostic: name, value });
    this.#report(name, String(value));
  }

  /** For this library: judges a sample; `cameraOn`: frames are expected from one's own camera. */
  judge(sample: MediaStatsSample, cameraOn: boolean): void {
    const own = sample.streams.find((s) => s.direction === "send" && s.mediaType === "video");
    this.#frozen = cameraOn && own?.frames === 0 ? this.#frozen + 1 : 0;
    this.set("cameraFreeze", this.#frozen >= FREEZE_SAMPLES);
    this.set("networkReceiveQuality", quality(sample.streams.filter((s) => s.direction === "receive")));
    this.set("networkSendQuality", quality(sample.streams.filter((s) => s.direction === "send")));
  }
}

/** The network by the share of packets that were lost in the last second. Too few packets say nothing. */
function quality(streams: StreamSample[]): DiagnosticQuality {
  let lost = 0;
  let arrived = 0;
  for (const stream of streams) {
    lost += stream.packetsLostPerSecond ?? 0;
    arrived += stream.packetsPerSecond ?? 0;
  }
  const share = lost + arrived < 20 ? 0 : lost / (lost + arrived);
  return share >= BAD_LOSS ? "Bad" : share >= POOR_LOSS ? "Poor" : "Good";
}
