import { openScreen, type DeviceManager, type LocalVideoStream } from "./devices.js";
import { AnteroomError } from "./errors.js";
import type { UserFacingDiagnostics } from "./diagnostics.js";
import type { TrackKind } from "./protocol.js";

/** Where local media goes once the participant is admitted. */
export interface Outlet {
  publish(kind: TrackKind, track: MediaStreamTrack, muted: boolean): Promise<void>;
  pause(kind: TrackKind): Promise<void>;
  setMuted(kind: TrackKind, muted: boolean): Promise<void>;
}

/**
 * LocalMedia holds what the user wants to send: it lasts through lobby, withdrawal and reconnection. While there is no outlet nothing is sent.
 */
export class LocalMedia {
  readonly #devices: DeviceManager;
  readonly #diagnostics: UserFacingDiagnostics;
  #outlet: Outlet | undefined;
  #microphone: MediaStreamTrack | undefined;
  #muted: boolean;
  #camera: LocalVideoStream | undefined;
  #screen: MediaStreamTrack | undefined;
  /** Called when anything the user sees of it changed. */
  onChange: (what: "muted" | "video" | "screen") => void = () => undefined;
  readonly #stopListening: () => void;

  constructor(devices: DeviceManager, diagnostics: UserFacingDiagnostics, muted: boolean) {
    this.#devices = devices;
    this.#diagnostics = diagnostics;
    this.#muted = muted;
    this.#stopListening = devices.on("selectedMicrophoneChanged", () => void this.#changeMicrophone());
  }

  get isMuted(): boolean {
    return this.#muted;
  }

  get camera(): LocalVideoStream | undefined {
    return this.#camera;
  }

  get screen(): MediaStreamTrack | undefined {
    return this.#screen;
  }

  get microphone(): MediaStreamTrack | undefined {
    return this.#microphone;
  }

  /** Sends what is wanted from now on. A kind that can't be sent stops nothing else; the first failure is thrown. */
  async connect(outlet: Outlet, may: (kind: TrackKind) => boolean): Promise<void> {
    this.#outlet = outlet;
    const sends: Promise<void>[] = [];
    if (this.#microphone && may("audio")) sends.push(outlet.publish("audio", this.#microphone, this.#muted));
    if (this.#camera?.track && may("video")) sends.push(outlet.publish("video", this.#camera.track, false));
    if (this.#screen && may("screen")) sends.push(outlet.publish("screen", this.#screen, false));
    await Promise.all(sends);
  }

  /** Sends nothing, and keeps what is wanted. */
  disconnect(): void {
    this.#outlet = undefined;
  }

  async mute(): Promise<void> {
    if (this.#muted) return;
    this.#setMuted(true);
    await this.#outlet?.setMuted("audio", true);
  }

  /** Opens the microphone if it isn't yet. Fails with AnteroomError. */
  async unmute(): Promise<void> {
    if (!this.#muted && this.#microphone) return;
    const isNew = !this.#microphone;
    this.#microphone ??= await this.#openMicrophone();
    this.#setMuted(false);
    if (isNew) await this.#outlet?.publish("audio", this.#microphone, false);
    else await this.#outlet?.setMuted("audio", false);
  }

  async startVideo(camera: LocalVideoStream): Promise<void> {
    if (this.#camera && this.#camera !== camera) this.#camera.stop();
    let track;
    try {
      track = await camera.start();
    } catch (error) {
      this.#diagnostics.set("cameraPermissionDenied", error instanceof AnteroomError && error.reason === "device_permission_denied");
      this.#diagnostics.set("cameraStartFailed", !(error instanceof AnteroomError && error.reason === "cancelled"));
      throw error;
    }
    this.#diagnostics.set("cameraPermissionDenied", false);
    this.#diagnostics.set("cameraStartFailed", false);
    this.#diagnostics.set("cameraStoppedUnexpectedly", false);
    this.#camera = camera;
    camera.onTrack = (now) => {
      if (camera !== this.#camera) return;
      if (now) void this.#outlet?.publish("video", now, false).catch(() => undefined);
      else {
        this.#diagnostics.set("cameraStoppedUnexpectedly", true);
        void this.stopVideo();
      }
    };
    this.onChange("video");
    await this.#outlet?.publish("video", track, false);
  }

  async stopVideo(): Promise<void> {
    const camera = this.#camera;
    if (!camera) return;
    this.#camera = undefined;
    camera.onTrack = () => undefined;
    camera.stop();
    this.onChange("video");
    await this.#outlet?.pause("video");
  }

  async startScreenSharing(): Promise<void> {
    if (this.#screen) return;
    let track: MediaStreamTrack;
    try {
      track = await openScreen();
    } catch (error) {
      this.#diagnostics.set("capturerStartFailed", !(error instanceof AnteroomError && error.reason === "cancelled"));
      throw error;
    }
    this.#diagnostics.set("capturerStartFailed", false);
    this.#screen = track;
    // The browser's own "stop sharing" ends the track.
    track.addEventListener("ended", () => {
      if (track === this.#screen) void this.stopScreenSharing().catch(() => undefined);
    });
    this.onChange("screen");
    await this.#outlet?.publish("screen", track, false);
  }

  async stopScreenSharing(): Promise<void> {
    const screen = this.#screen;
    if (!screen) return;
    this.#screen = undefined;
    screen.stop();
    this.onChange("screen");
    await this.#outlet?.pause("screen");
  }

  /** The server stopped this kind: a light that still burns would be a lie. */
  stopped(kind: TrackKind): void {
    if (kind === "audio") {
      this.#microphone?.stop();
      this.#microphone = undefined;
      this.#setMuted(true);
    } else if (kind === "video") {
      void this.stopVideo().catch(() => undefined);
    } else {
      void this.stopScreenSharing().catch(() => undefined);
    }
  }

  /** An org user muted this participant: only the participant unmutes again. */
  muted(): void {
    this.#setMuted(true);
    this.#diagnostics.set("microphoneMuteUnexpectedly", false);
  }

  close(): void {
    this.#stopListening();
    this.#outlet = undefined;
    this.#microphone?.stop();
    this.#microphone = undefined;
    this.#camera?.stop();
    this.#camera = undefined;
    this.#screen?.stop();
    this.#screen = undefined;
  }

  #setMuted(muted: boolean): void {
    if (this.#microphone) this.#microphone.enabled = !muted;
    if (muted === this.#muted) return;
    this.#muted = muted;
    this.onChange("muted");
  }

  async #openMicrophone(): Promise<MediaStreamTrack> {
    let track: MediaStreamTrack;
    try {
      track = await this.#devices.openMicrophone();
    } catch (error) {
      const reason = error instanceof AnteroomError ? error.reason : "";
      this.#diagnostics.set("microphonePermissionDenied", reason === "device_permission_denied");
      this.#diagnostics.set("noMicrophoneDevicesEnumerated", reason === "device_not_found");
      this.#diagnostics.set("microphoneNotFunctioning", reason !== "device_permission_denied" && reason !== "device_not_found");
      throw error;
    }
    for (const name of ["microphonePermissionDenied", "noMicrophoneDevicesEnumerated", "microphoneNotFunctioning"] as const) this.#diagnostics.set(name, false);
    // The system or the headset mutes, not this page.
    track.addEventListener("mute", () => this.#diagnostics.set("microphoneMuteUnexpectedly", true));
    track.addEventListener("unmute", () => this.#diagnostics.set("microphoneMuteUnexpectedly", false));
    track.addEventListener("ended", () => {
      if (track !== this.#microphone) return;
      this.#diagnostics.set("microphoneNotFunctioning", true);
      this.stopped("audio");
    });
    return track;
  }

  async #changeMicrophone(): Promise<void> {
    const before = this.#microphone;
    if (!before) return;
    try {
      const track = await this.#openMicrophone();
      before.stop();
      this.#microphone = track;
      track.enabled = !this.#muted;
      await this.#outlet?.publish("audio", track, this.#muted);
    } catch {
      // The diagnostics tell why; the microphone of before stays.
    }
  }
}
