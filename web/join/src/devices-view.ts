import { AnteroomError, LocalVideoStream, measureLevel, type CallClient } from "@anteroom/client";
import { h, type Scope } from "./dom.js";
import { problem } from "./texts.js";

/** Selects for camera, microphone and speaker that follow what is plugged in. */
export function devicePickers(client: CallClient, scope: Scope, camera: { get(): LocalVideoStream | undefined; choose(id: string): void }): HTMLElement {
  const devices = client.deviceManager;
  const picker = (label: string, id: string, changed: (id: string) => void): { field: HTMLElement; fill(options: { id: string; name: string }[], chosen: string | undefined): void } => {
    const select = h("select", { id, class: "input", on: { change: () => changed(select.value) } });
    const field = h("div", { class: "field" }, h("label", { attrs: { for: id } }, label), select);
    return {
      field,
      fill(options, chosen) {
        field.hidden = options.length === 0;
        select.replaceChildren(...options.map((o) => h("option", { attrs: { value: o.id, selected: o.id === chosen } }, o.name)));
      },
    };
  };
  const cameras = picker("Camera", "device-camera", (id) => camera.choose(id));
  const microphones = picker("Microphone", "device-microphone", (id) => void devices.getMicrophones().then((all) => devices.selectMicrophone(all.find((m) => m.id === id))));
  const speakers = picker("Speaker", "device-speaker", (id) => void devices.getSpeakers().then((all) => devices.selectSpeaker(all.find((s) => s.id === id))));
  const fill = async (): Promise<void> => {
    cameras.fill(await devices.getCameras(), camera.get()?.source?.id);
    microphones.fill(await devices.getMicrophones(), devices.selectedMicrophone?.id);
    speakers.fill(devices.isSpeakerSelectionAvailable ? await devices.getSpeakers() : [], devices.selectedSpeaker?.id);
  };
  const update = (): void => void fill().catch(() => undefined);
  scope.add(devices.on("audioDevicesUpdated", update), devices.on("videoDevicesUpdated", update));
  const fields = h("div", { class: "pickers" }, cameras.field, microphones.field, speakers.field);
  fields.addEventListener("refresh", update);
  update();
  return fields;
}

/** What the user chose before the call. */
export interface DeviceChoice {
  camera: LocalVideoStream | undefined;
  microphoneOn: boolean;
}

/** The mirror, the level meter and the switches of the page before the call. */
export class DeviceCheck {
  readonly element: HTMLElement;
  readonly #client: CallClient;
  readonly #video = h("video", { class: "mirror", attrs: { "aria-label": "Your camera, as in a mirror", muted: true } });
  readonly #note = h("p", { class: "mirror-note" }, "Camera is off");
  readonly #trouble = h("p", { class: "trouble", attrs: { role: "status" } });
  readonly #bar = h("div", { class: "level-bar" });
  readonly #level = h("div", { class: "level", attrs: { role: "meter", "aria-label": "Microphone level", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0 } }, this.#bar);
  readonly #cameraSwitch: HTMLInputElement;
  readonly #microphoneSwitch: HTMLInputElement;
  readonly #pickers: HTMLElement;
  #camera = new LocalVideoStream();
  #stopLevel: (() => void) | undefined;
  /** The camera is the call's. */
  #given = false;
  #ended = false;
  #troubles = new Map<string, string>();

  constructor(client: CallClient, scope: Scope) {
    this.#client = client;
    this.#cameraSwitch = h("input", { attrs: { type: "checkbox", role: "switch", checked: true }, on: { change: () => void this.#setCamera() } });
    this.#microphoneSwitch = h("input", { attrs: { type: "checkbox", role: "switch", checked: true }, on: { change: () => void this.#setMicrophone() } });
    this.#pickers = devicePickers(client, scope, {
      get: () => this.#camera,
      choose: (id) => void this.#chooseCamera(id),
    });
    this.element = h(
      "section",
      { class: "device-check", attrs: { "aria-label": "Camera and microphone" } },
      h("div", { class: "mirror-box" }, this.#video, this.#note),
      h("div", { class: "switches" }, h("label", { class: "switch" }, this.#cameraSwitch, "Camera on"), h("label", { class: "switch" }, this.#microphoneSwitch, "Microphone on")),
      this.#level,
      this.#trouble,
      this.#pickers,
    );
    scope.add(this.#camera.attach(this.#video), () => this.#stopLevel?.(), () => this.#end());
    scope.add(client.deviceManager.on("selectedMicrophoneChanged", () => void this.#setMicrophone()));
    void this.#start();
  }

  /** What is to be taken into the call; the camera goes with it and stays open, or is opened there if it isn't yet. */
  take(): DeviceChoice {
    const camera = this.#cameraSwitch.checked ? this.#camera : undefined;
    this.#given = camera !== undefined;
    return { camera, microphoneOn: this.#microphoneSwitch.checked };
  }

  #end(): void {
    if (!this.#given) this.#camera.stop();
    this.#ended = true;
  }

  async #start(): Promise<void> {
    const access = await this.#client.deviceManager.askDevicePermission({ audio: true, video: true });
    // What was switched off while the browser asked stays off.
    this.#cameraSwitch.checked &&= access.video;
    this.#microphoneSwitch.checked &&= access.audio;
    if (!access.audio) this.#say("microphone", "No microphone can be used: connect one, or allow it in the browser's address bar. You can join without and hear the others.");
    if (!access.video) this.#say("camera", "No camera can be used. You can join without one.");
    if (access.video) await this.#setCamera();
    if (access.audio) await this.#setMicrophone();
    this.#pickers.dispatchEvent(new Event("refresh"));
  }

  async #setCamera(): Promise<void> {
    if (this.#cameraSwitch.checked) {
      try {
        await this.#camera.start();
        // It may have been asked for before another page came.
        if (this.#ended && !this.#given) this.#camera.stop();
        this.#say("camera", "");
      } catch (error) {
        // Switched off, or another one chosen, before it was open.
        if (error instanceof AnteroomError && error.reason === "cancelled") return;
        this.#cameraSwitch.checked = false;
        this.#say("camera", problem(error));
      }
    } else {
      this.#camera.stop();
    }
    this.#note.hidden = this.#camera.track !== undefined;
  }

  async #chooseCamera(id: string): Promise<void> {
    const source = (await this.#client.deviceManager.getCameras()).find((c) => c.id === id);
    if (!source) return;
    await this.#camera.switchSource(source).catch((error: unknown) => {
      if (!(error instanceof AnteroomError && error.reason === "cancelled")) this.#say("camera", problem(error));
    });
    this.#note.hidden = this.#camera.track !== undefined;
  }

  async #setMicrophone(): Promise<void> {
    this.#stopLevel?.();
    this.#stopLevel = undefined;
    this.#showLevel(0);
    if (!this.#microphoneSwitch.checked) return;
    try {
      const track = await this.#client.deviceManager.openMicrophone();
      if (this.#ended) {
        track.stop();
        return;
      }
      const stop = measureLevel(track, (level) => this.#showLevel(level));
      this.#stopLevel = () => {
        stop();
        track.stop();
      };
      this.#say("microphone", "");
    } catch (error) {
      this.#microphoneSwitch.checked = false;
      this.#say("microphone", problem(error));
    }
  }

  #showLevel(level: number): void {
    this.#bar.style.setProperty("--level", level.toFixed(2));
    this.#level.setAttribute("aria-valuenow", String(Math.round(level * 100)));
  }

  #say(what: string, text: string): void {
    if (text) this.#troubles.set(what, text);
    else this.#troubles.delete(what);
    this.#trouble.textContent = [...this.#troubles.values()].join(" ");
  }
}
