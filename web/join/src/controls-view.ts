import { LocalVideoStream, type Call, type CapabilityName } from "@anteroom/client";
import { ask, h, setAttr, type Scope } from "./dom.js";
import { icon, type IconName } from "./icons.js";
import { problem, whyNot } from "./texts.js";

const REACTIONS = ["👍", "👏", "❤️", "😂", "🎉"];

/** What the bar of controls asks of the page. */
export interface ControlsHost {
  /** Says something to the user for a while. */
  say(text: string): void;
  openSettings(): void;
}

/** One button with an icon and a word. */
export class Control {
  readonly element: HTMLButtonElement;
  readonly #icon = h("span", { class: "control-icon" });
  readonly #label = h("span", { class: "control-label" });
  readonly #badge = h("span", { class: "badge" });
  #reason = "";

  constructor(click: () => void, say: (text: string) => void, style = "") {
    this.#badge.hidden = true;
    this.element = h(
      "button",
      // A button that is refused stays in reach of the keyboard and tells why.
      { class: `control ${style}`, attrs: { type: "button" }, on: { click: () => (this.#reason ? say(this.#reason) : click()) } },
      this.#icon,
      this.#label,
      this.#badge,
    );
  }

  set(name: IconName, label: string, options: { pressed?: boolean; expanded?: boolean; reason?: string } = {}): void {
    this.#icon.replaceChildren(icon(name));
    this.#label.textContent = label;
    this.#reason = options.reason ?? "";
    setAttr(this.element, "aria-pressed", options.pressed === undefined ? undefined : String(options.pressed));
    setAttr(this.element, "aria-expanded", options.expanded === undefined ? undefined : String(options.expanded));
    setAttr(this.element, "aria-disabled", this.#reason ? "true" : undefined);
    this.element.title = this.#reason;
  }

  /** A count in the button's corner; its meaning is read aloud. */
  badge(count: number, meaning: string): void {
    this.#badge.hidden = count === 0;
    this.#badge.replaceChildren(count > 99 ? "99+" : String(count), h("span", { class: "sr" }, ` ${meaning}`));
  }
}

/** Microphone, camera, screen, hand, reactions, and what hides under "More". */
export function controlsView(call: Call, scope: Scope, host: ControlsHost): HTMLElement[] {
  const run = (act: () => Promise<void>): void => {
    // A refusal may also be thrown at once.
    void (async () => act())().catch((error: unknown) => host.say(problem(error)));
  };
  const control = (act: () => Promise<void>): Control => new Control(() => run(act), host.say);
  const reason = (name: CapabilityName): { reason?: string } => {
    const capability = call.capabilities.get(name);
    return capability.isPresent ? {} : { reason: whyNot(capability.reason) };
  };
  const microphone = control(() => (call.isMuted ? call.unmute() : call.mute()));
  const camera = control(() => (call.localVideo ? call.stopVideo() : call.startVideo(new LocalVideoStream())));
  const screen = control(() => (call.isScreenSharingOn ? call.stopScreenSharing() : call.startScreenSharing()));
  const hand = control(() => (call.activities.isHandRaised ? call.activities.lowerHand() : call.activities.raiseHand()));
  const reactions = menu("reactions-menu", "React", "smile", () => REACTIONS.map((r) => ({ label: r, act: () => call.activities.react(r) })), run);
  const more = menu("more-menu", "More", "more", () => moreActions(call, host), run);
  const update = (): void => {
    microphone.set(call.isMuted ? "micOff" : "mic", call.isMuted ? "Unmute" : "Mute", reason("unmuteMic"));
    camera.set(call.localVideo ? "camera" : "cameraOff", call.localVideo ? "Camera off" : "Camera on", reason("turnVideoOn"));
    const canShare = "getDisplayMedia" in (navigator.mediaDevices ?? {});
    screen.element.hidden = !canShare;
    screen.set("screen", call.isScreenSharingOn ? "Stop share" : "Share", { pressed: call.isScreenSharingOn, ...reason("shareScreen") });
    hand.set("hand", call.activities.isHandRaised ? "Lower hand" : "Raise hand", { pressed: call.activities.isHandRaised });
    hand.element.hidden = !call.capabilities.get("raiseHand").isPresent;
    reactions.button.hidden = !call.capabilities.get("useReactions").isPresent;
    more.fill();
  };
  update();
  scope.add(
    call.on("isMutedChanged", update),
    call.on("localVideoChanged", update),
    call.on("isScreenSharingOnChanged", update),
    call.activities.on("isHandRaisedChanged", update),
    call.capabilities.on("capabilitiesChanged", update),
    call.recording.on("isRecordingActiveChanged", update),
    call.transcription.on("isTranscriptionActiveChanged", update),
  );
  return [microphone.element, camera.element, screen.element, hand.element, reactions.button, reactions.popup, more.button, more.popup];
}

interface MenuAction {
  label: string;
  icon?: IconName;
  danger?: boolean;
  act(): Promise<void>;
}

function moreActions(call: Call, host: ControlsHost): MenuAction[] {
  const actions: MenuAction[] = [{ label: "Camera, microphone, speaker", icon: "settings", act: async () => host.openSettings() }];
  if (call.capabilities.get("startRecording").isPresent) {
    const on = call.recording.isRecordingActive;
    actions.push({ label: on ? "Stop recording" : "Start recording", icon: "record", act: () => (on ? call.recording.stop() : call.recording.start()) });
  }
  if (call.capabilities.get("startTranscription").isPresent) {
    const on = call.transcription.isTranscriptionActive;
    actions.push({ label: on ? "Stop transcription" : "Start transcription", icon: "transcript", act: () => (on ? call.transcription.stop() : call.transcription.start()) });
  }
  if (call.capabilities.get("hangUpForEveryone").isPresent) {
    actions.push({
      label: "End the meeting for everybody",
      icon: "leave",
      danger: true,
      act: async () => {
        if (await ask("End the meeting for everybody?", "Everybody is disconnected. Guests lose access to the chat.", "End the meeting")) await call.hangUp({ forEveryone: true });
      },
    });
  }
  return actions;
}

/** A button that opens a list of actions; Escape and a click beside it close it. */
function menu(id: string, label: string, iconName: IconName, actions: () => MenuAction[], run: (act: () => Promise<void>) => void): { button: HTMLButtonElement; popup: HTMLElement; fill(): void } {
  const popup = h("div", { id, class: "menu", attrs: { popover: "auto", "aria-label": label } });
  const fill = (): void => {
    popup.replaceChildren(
      ...actions().map((action) =>
        h(
          "button",
          {
            class: action.danger ? "menu-item danger" : "menu-item",
            attrs: { type: "button", "aria-label": action.icon ? undefined : `React with ${action.label}` },
            on: {
              click: () => {
                popup.hidePopover();
                run(() => action.act());
              },
            },
          },
          action.icon && icon(action.icon),
          action.label,
        ),
      ),
    );
  };
  const button = h("button", { class: "control", attrs: { type: "button", popovertarget: id } }, h("span", { class: "control-icon" }, icon(iconName)), h("span", { class: "control-label" }, label));
  popup.addEventListener("beforetoggle", fill);
  popup.addEventListener("toggle", (event) => {
    if (event.newState === "open") popup.querySelector("button")?.focus();
  });
  // Arrow keys walk the list, as in menus elsewhere; Tab does too.
  popup.addEventListener("keydown", (event) => {
    const items = [...popup.querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = items.findIndex((item) => item === document.activeElement);
    items[(at + step + items.length) % items.length]?.focus();
  });
  fill();
  return { button, popup, fill };
}
