import { Emitter } from "./emitter.js";
import { AnteroomError, deviceError } from "./errors.js";

/** A camera. */
export interface VideoDeviceInfo {
  readonly id: string;
  readonly name: string;
}

/** A microphone or a speaker. */
export interface AudioDeviceInfo {
  readonly id: string;
  readonly name: string;
  readonly deviceType: "Microphone" | "Speaker";
}

/** What the user allowed. */
export interface DeviceAccess {
  audio: boolean;
  video: boolean;
}

export interface DeviceManagerEvents {
  /** A camera was connected or disconnected. */
  videoDevicesUpdated: readonly VideoDeviceInfo[];
  /** A microphone or speaker was connected or disconnected. */
  audioDevicesUpdated: readonly AudioDeviceInfo[];
  selectedMicrophoneChanged: AudioDeviceInfo | undefined;
  selectedSpeakerChanged: AudioDeviceInfo | undefined;
}

/** DeviceManager knows the cameras, microphones and speakers, and which microphone and speaker are chosen. */
export class DeviceManager extends Emitter<DeviceManagerEvents> {
  #microphone: AudioDeviceInfo | undefined;
  #speaker: AudioDeviceInfo | undefined;

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#changed());
  }

  /** The chosen microphone; undefined: the system's. */
  get selectedMicrophone(): AudioDeviceInfo | undefined {
    return this.#microphone;
  }

  /** The chosen speaker; undefined: the system's. */
  get selectedSpeaker(): AudioDeviceInfo | undefined {
    return this.#speaker;
  }

  /** Whether this browser lets a page choose the speaker. */
  get isSpeakerSelectionAvailable(): boolean {
    return "setSinkId" in HTMLMediaElement.prototype;
  }

  /** Asks the user for the devices; what was refused or isn't there is false. Nothing stays open. */
  async askDevicePermission(constraints: { audio: boolean; video: boolean }): Promise<DeviceAccess> {
    const ask = async (one: MediaStreamConstraints): Promise<boolean> => {
      try {
        const stream = await mediaDevices().getUserMedia(one);
        for (const track of stream.getTracks()) track.stop();
        return true;
      } catch {
        return false;
      }
    };
    // Both at once is one question to the user; each alone where one of the two isn't there.
    if (constraints.audio && constraints.video && (await ask({ audio: true, video: true }))) return { audio: true, video: true };
    return { audio: constraints.audio && (await ask({ audio: true })), video: constraints.video && (await ask({ video: true })) };
  }

  /** The cameras. Names are empty until the user allowed one. */
  async getCameras(): Promise<VideoDeviceInfo[]> {
    return (await this.#list("videoinput")).map((d, i) => ({ id: d.deviceId, name: d.label || `Camera ${i + 1}` }));
  }

  async getMicrophones(): Promise<AudioDeviceInfo[]> {
    return (await this.#list("audioinput")).map((d, i) => ({ id: d.deviceId, name: d.label || `Microphone ${i + 1}`, deviceType: "Microphone" }));
  }

  /** The speakers; empty where the browser doesn't let pages choose. */
  async getSpeakers(): Promise<AudioDeviceInfo[]> {
    return (await this.#list("audiooutput")).map((d, i) => ({ id: d.deviceId, name: d.label || `Speaker ${i + 1}`, deviceType: "Speaker" }));
  }

  /** Chooses the microphone; a call that is unmuted changes to it at once. */
  selectMicrophone(microphone: AudioDeviceInfo | undefined): void {
    this.#microphone = microphone;
    this.emit("selectedMicrophoneChanged", microphone);
  }

  /** Chooses where a call is heard. */
  selectSpeaker(speaker: AudioDeviceInfo | undefined): void {
    this.#speaker = speaker;
    this.emit("selectedSpeakerChanged", speaker);
  }

  /** For this library: opens the chosen microphone. */
  async openMicrophone(): Promise<MediaStreamTrack> {
    const chosen = this.#microphone;
    return openTrack("microphone", () => ({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...(chosen && { deviceId: { exact: chosen.id } }) },
    }));
  }

  async #list(kind: MediaDeviceKind): Promise<MediaDeviceInfo[]> {
    const all = await mediaDevices().enumerateDevices();
    return all.filter((device) => device.kind === kind && device.deviceId !== "");
  }

  async #changed(): Promise<void> {
    this.emit("videoDevicesUpdated", await this.getCameras());
    const [microphones, speakers] = [await this.getMicrophones(), await this.getSpeakers()];
    this.emit("audioDevicesUpdated", [...microphones, ...speakers]);
    if (this.#microphone && !microphones.some((m) => m.id === this.#microphone?.id)) this.selectMicrophone(undefined);
    if (this.#speaker && !speakers.some((s) => s.id === this.#speaker?.id)) this.selectSpeaker(undefined);
  }
}

/** LocalVideoStream is one's own camera: made from a device, shown with `attach`, sent with `Call.startVideo`. */
export class LocalVideoStream {
  readonly mediaStreamType = "Video";
  #source: VideoDeviceInfo | undefined;
  #track: MediaStreamTrack | undefined;
  /** The opening that goes on; `stop` gives it up. */
  #opening: Promise<MediaStreamTrack> | undefined;
  readonly #elements = new Set<HTMLVideoElement>();
  /** For this library: called when the track changed or ended by itself. */
  onTrack: (track: MediaStreamTrack | undefined) => void = () => undefined;

  /** `source`: a camera; undefined: the system's. */
  constructor(source?: VideoDeviceInfo) {
    this.#source = source;
  }

  get source(): VideoDeviceInfo | undefined {
    return this.#source;
  }

  /** The track while the camera is open. */
  get track(): MediaStreamTrack | undefined {
    return this.#track;
  }

  /** Opens the camera. Fails with AnteroomError, reason `cancelled` if it was stopped before it was open. */
  async start(): Promise<MediaStreamTrack> {
    if (this.#track?.readyState === "live") return this.#track;
    // Whoever else asks meanwhile gets the same: a second opening would leave the first one's camera on for ever.
    if (this.#opening) return this.#opening;
    const opening: Promise<MediaStreamTrack> = this.#open(() => this.#opening !== opening).finally(() => {
      if (this.#opening === opening) this.#opening = undefined;
    });
    this.#opening = opening;
    return opening;
  }

  async #open(givenUp: () => boolean): Promise<MediaStreamTrack> {
    const source = this.#source;
    const track = await openTrack("camera", () => ({
      video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, ...(source && { deviceId: { exact: source.id } }) },
    }));
    if (givenUp()) {
      track.stop();
      throw new AnteroomError("cancelled", "The camera was switched off before it was open.");
    }
    track.contentHint = "motion";
    track.addEventListener("ended", () => {
      if (track === this.#track) this.#set(undefined);
    });
    this.#set(track);
    return track;
  }

  /** Changes to another camera. */
  async switchSource(source: VideoDeviceInfo): Promise<void> {
    this.#source = source;
    if (!this.#track && !this.#opening) return;
    this.#track?.stop();
    this.#track = undefined;
    this.#opening = undefined;
    await this.start();
  }

  /** Closes the camera. */
  stop(): void {
    this.#opening = undefined;
    this.#track?.stop();
    this.#set(undefined);
  }

  /** Shows the camera in a video element until the returned function is called. Mirror it in CSS. */
  attach(element: HTMLVideoElement): () => void {
    this.#elements.add(element);
    element.muted = true;
    element.playsInline = true;
    this.#show(element);
    return () => {
      this.#elements.delete(element);
      element.srcObject = null;
    };
  }

  #set(track: MediaStreamTrack | undefined): void {
    this.#track = track;
    for (const element of this.#elements) this.#show(element);
    this.onTrack(track);
  }

  #show(element: HTMLVideoElement): void {
    element.srcObject = this.#track ? new MediaStream([this.#track]) : null;
    if (this.#track) void element.play().catch(() => undefined);
  }
}

/**
 * Measures how loud a track is, about 15 times a second, until the returned function is called. `level` gets 0 (silence) to 1.
 */
export function measureLevel(track: MediaStreamTrack, level: (value: number) => void): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  const source = context.createMediaStreamSource(new MediaStream([track]));
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    let sum = 0;
    for (const sample of samples) sum += sample * sample;
    const decibels = 20 * Math.log10(Math.sqrt(sum / samples.length) + 1e-6);
    level(Math.min(1, Math.max(0, (decibels + 60) / 50)));
  }, 66);
  return () => {
    clearInterval(timer);
    source.disconnect();
    void context.close();
  };
}

/** Opens the screen, a window or a tab, as the user picks. */
export async function openScreen(): Promise<MediaStreamTrack> {
  try {
    const stream = await mediaDevices().getDisplayMedia({ video: { frameRate: { ideal: 15 } }, audio: false });
    const track = stream.getVideoTracks()[0];
    if (!track) throw new AnteroomError("device_failed", "The screen could not be shared.");
    track.contentHint = "detail";
    return track;
  } catch (error) {
    // The browser's picker was closed, or the page may not share: both look alike.
    if (error instanceof Error && error.name === "NotAllowedError") throw new AnteroomError("cancelled", "Nothing is shared: no screen was chosen, or this page may not share it.");
    throw deviceError(error, "screen");
  }
}

async function openTrack(device: string, constraints: () => MediaStreamConstraints): Promise<MediaStreamTrack> {
  try {
    const stream = await mediaDevices().getUserMedia(constraints());
    const track = stream.getTracks()[0];
    if (!track) throw new AnteroomError("device_failed", `The ${device} could not be started.`);
    return track;
  } catch (error) {
    throw deviceError(error, device);
  }
}

function mediaDevices(): MediaDevices {
  // Browsers give devices to pages over https and on localhost only.
  if (!navigator.mediaDevices) throw new AnteroomError("device_permission_denied", "The browser gives cameras and microphones to secure pages only. Open this page over https.");
  return navigator.mediaDevices;
}
