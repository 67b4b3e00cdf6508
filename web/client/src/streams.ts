import type { TrackKind } from "./protocol.js";
import { Emitter } from "./emitter.js";

export interface RemoteVideoStreamEvents {
  /** The stream has a picture now, or none any more. */
  isAvailableChanged: boolean;
}

/** What a stream asks of the call. */
export interface StreamOwner {
  /** The height that there is room for changed, in device pixels. */
  roomChanged(): void;
}

/** RemoteVideoStream is somebody else's camera or screen. */
export class RemoteVideoStream extends Emitter<RemoteVideoStreamEvents> {
  readonly #owner: StreamOwner;
  #track: MediaStreamTrack | undefined;
  /** The elements that show it, and the heights that they have room for; undefined: not known yet. */
  readonly #viewers = new Map<HTMLVideoElement, number | undefined>();

  constructor(
    /** The server's id of the track. */
    readonly id: string,
    readonly mediaStreamType: "Video" | "ScreenSharing",
    owner: StreamOwner,
  ) {
    super();
    this.#owner = owner;
  }

  /** Whether a picture arrives. */
  get isAvailable(): boolean {
    return this.#track !== undefined;
  }

  get track(): MediaStreamTrack | undefined {
    return this.#track;
  }

  /** How high the largest element is that shows it, in device pixels; undefined: nobody has said. 0: nobody looks. */
  get room(): number | undefined {
    const heights = [...this.#viewers.values()].filter((height) => height !== undefined);
    return heights.length === 0 ? undefined : Math.max(...heights);
  }

  /** Shows the stream in a video element until the returned function is called. The server sends the size that the element has room for. */
  attach(element: HTMLVideoElement): () => void {
    element.muted = true;
    element.playsInline = true;
    this.#viewers.set(element, undefined);
    const measure = (): void => {
      const height = Math.round(element.clientHeight * devicePixelRatio);
      // An element that stays hidden until there is a picture says nothing about room: taken for "nobody looks", no picture would ever come.
      if (height > 0 || (this.#track && this.#viewers.get(element) !== undefined)) this.#viewers.set(element, height);
    };
    measure();
    this.#show(element);
    const observer = new ResizeObserver(() => {
      measure();
      this.#owner.roomChanged();
    });
    observer.observe(element);
    this.#owner.roomChanged();
    return () => {
      observer.disconnect();
      this.#viewers.delete(element);
      element.srcObject = null;
      this.#owner.roomChanged();
    };
  }

  /** For this library: the track that arrives now. */
  setTrack(track: MediaStreamTrack | undefined): void {
    if (track === this.#track) return;
    this.#track = track;
    for (const element of this.#viewers.keys()) this.#show(element);
    this.emit("isAvailableChanged", track !== undefined);
  }

  #show(element: HTMLVideoElement): void {
    element.srcObject = this.#track ? new MediaStream([this.#track]) : null;
    if (this.#track) void element.play().catch(() => undefined);
  }
}

/** The kinds of tracks that are pictures. */
export function streamType(kind: TrackKind): "Video" | "ScreenSharing" | undefined {
  return kind === "video" ? "Video" : kind === "screen" ? "ScreenSharing" : undefined;
}

/** AudioOutput plays what arrives. */
export class AudioOutput {
  readonly #elements = new Map<string, HTMLAudioElement>();
  #sinkId = "";
  /** Called when the browser refuses to play until the user does something, and when it plays after all. */
  onBlocked: (blocked: boolean) => void = () => undefined;

  /** Plays exactly these tracks, by id. */
  set(tracks: Map<string, MediaStreamTrack>): void {
    for (const [id, element] of this.#elements) {
      if (tracks.has(id)) continue;
      element.srcObject = null;
      this.#elements.delete(id);
    }
    for (const [id, track] of tracks) {
      let element = this.#elements.get(id);
      if (!element) {
        element = new Audio();
        element.autoplay = true;
        this.#elements.set(id, element);
        this.#route(element);
      }
      const stream = element.srcObject;
      if (stream instanceof MediaStream && stream.getTracks()[0] === track) continue;
      element.srcObject = new MediaStream([track]);
      void this.#play(element);
    }
  }

  /** Plays through this speaker; "" is the system's. */
  setSpeaker(id: string): void {
    this.#sinkId = id;
    for (const element of this.#elements.values()) this.#route(element);
  }

  /** Tries again to play: call it from a click. */
  async resume(): Promise<void> {
    await Promise.all([...this.#elements.values()].map((element) => this.#play(element)));
  }

  close(): void {
    this.set(new Map());
  }

  #route(element: HTMLAudioElement): void {
    if ("setSinkId" in element) void element.setSinkId(this.#sinkId).catch(() => undefined);
  }

  async #play(element: HTMLAudioElement): Promise<void> {
    try {
      await element.play();
      this.onBlocked(false);
    } catch (error) {
      if (error instanceof Error && error.name === "NotAllowedError") this.onBlocked(true);
    }
  }
}
