import { LocalVideoStream, type Call, type CallClient, type DiagnosticName } from "@anteroom/client";
import { ChatView } from "./chat-view.js";
import { Control, controlsView } from "./controls-view.js";
import { devicePickers } from "./devices-view.js";
import { announce, h, Scope } from "./dom.js";
import { icon, type IconName } from "./icons.js";
import { lobbyView } from "./lobby-view.js";
import { noticesView } from "./notices-view.js";
import { peopleView } from "./people-view.js";
import { advice, problem, whyNot } from "./texts.js";
import { TilesView } from "./tiles-view.js";
import { supportCode } from "./waiting-view.js";

const SAY_MS = 8_000;

type PanelName = "chat" | "people" | "lobby";

/** The page during the call. */
export class CallView {
  readonly element: HTMLElement;
  readonly #call: Call;
  readonly #client: CallClient;
  readonly #scope: Scope;
  readonly #trouble = h("div", { class: "troubles", attrs: { role: "status" } });
  readonly #toast = h("div", { class: "toast", attrs: { role: "status" } });
  readonly #panel = h("aside", { class: "panel", id: "panel" });
  readonly #panels = new Map<PanelName, { title: string; icon: IconName; body: HTMLElement; control: Control }>();
  readonly #chat: ChatView;
  #open: PanelName | undefined;
  #toastTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: CallClient, call: Call, scope: Scope, leave: () => void) {
    this.#client = client;
    this.#call = call;
    this.#scope = scope;
    this.#toast.hidden = true;
    this.#panel.hidden = true;
    this.#chat = new ChatView(call, scope, (id) => call.remoteParticipants.find((p) => p.identifier === id)?.displayName);
    this.#addPanel("people", "People", "people", peopleView(call, scope));
    this.#addPanel("chat", "Chat", "chat", this.#chat.element);
    const lobby = this.#addPanel("lobby", "Lobby", "door", h("div", {}));
    const waiting = lobbyView(call, scope, (count) => this.#waiting(lobby, count));
    this.#panels.set("lobby", { title: "Lobby", icon: "door", body: waiting, control: lobby });
    this.#chat.onUnread = (count) => this.#panels.get("chat")?.control.badge(count, "unread");
    const tiles = new TilesView(call, scope);
    this.element = h("div", { class: "call" }, this.#header(), noticesView(call, scope), this.#trouble, h("main", { class: "call-main" }, tiles.element, this.#panel, this.#toast), this.#bar(leave));
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#show(undefined);
    });
    this.#watch();
  }

  #header(): HTMLElement {
    const title = h("h1", { class: "call-title" }, this.#call.title || "Meeting");
    return h("header", { class: "call-head" }, title, h("span", { class: "quiet" }, h("bdi", {}, this.#call.organization)), h("details", { class: "support-box" }, h("summary", {}, "Support code"), supportCode(this.#call)));
  }

  #bar(leave: () => void): HTMLElement {
    const leaving = h("button", { class: "control leave", attrs: { type: "button" }, on: { click: leave } }, h("span", { class: "control-icon" }, icon("leave")), h("span", { class: "control-label" }, "Leave"));
    const controls = controlsView(this.#call, this.#scope, { say: (text) => this.#say(text), openSettings: () => this.#openSettings() });
    return h(
      "footer",
      { class: "bar" },
      h("div", { class: "bar-group", attrs: { role: "toolbar", "aria-label": "Call controls" } }, ...controls),
      h("div", { class: "bar-group" }, ...[...this.#panels.values()].map((panel) => panel.control.element), leaving),
    );
  }

  #addPanel(name: PanelName, title: string, iconName: IconName, body: HTMLElement): Control {
    const control = new Control(() => this.#show(this.#open === name ? undefined : name), (text) => this.#say(text));
    control.element.setAttribute("aria-controls", "panel");
    control.set(iconName, title, { expanded: false });
    this.#panels.set(name, { title, icon: iconName, body, control });
    return control;
  }

  #show(name: PanelName | undefined): void {
    const before = this.#open && this.#panels.get(this.#open);
    this.#open = name;
    for (const [other, panel] of this.#panels) panel.control.set(panel.icon, panel.title, { expanded: other === name });
    const panel = name && this.#panels.get(name);
    this.#panel.hidden = panel === undefined;
    this.element.classList.toggle("has-panel", panel !== undefined);
    if (panel) {
      const heading = h("h2", { attrs: { tabindex: -1 } }, panel.title);
      const close = h("button", { class: "icon-button", attrs: { type: "button", "aria-label": `Close ${panel.title.toLowerCase()}` }, on: { click: () => this.#show(undefined) } }, icon("close"));
      this.#panel.setAttribute("aria-label", panel.title);
      this.#panel.replaceChildren(h("div", { class: "panel-head" }, heading, close), panel.body);
      const field = panel.body.querySelector<HTMLElement>("textarea");
      (field && field.offsetParent ? field : heading).focus();
    } else {
      this.#panel.replaceChildren();
      before?.control.element.focus();
    }
    this.#chat.setVisible(name === "chat");
  }

  #waiting(control: Control, count: number): void {
    const may = this.#call.capabilities.get("manageLobby").isPresent;
    control.element.hidden = !may;
    control.badge(may ? count : 0, "waiting");
    control.element.classList.toggle("calls", may && count > 0);
    document.title = may && count > 0 ? `(${count} waiting) ${this.#call.title}` : this.#call.title || "Meeting";
    if (!may && this.#open === "lobby") this.#show(undefined);
  }

  #watch(): void {
    const call = this.#call;
    this.#scope.add(
      call.on("isReconnectingChanged", () => this.#troubles()),
      call.diagnostics.on("diagnosticChanged", () => this.#troubles()),
      call.on("error", (error) => this.#say(problem(error))),
      call.on("trackStopped", ({ kind, reason }) => {
        const what = { audio: "Your microphone", video: "Your camera", screen: "Your screen" }[kind];
        this.#say(`${what} was switched off. ${whyNot(reason)}`);
      }),
      call.on("mutedByOthers", () => this.#say("You were muted by somebody of the organisation. Unmute yourself to speak.")),
      call.activities.on("slidesLiveHidden", ({ isRunning }) => {
        if (isRunning) this.#say("A presentation is being shown that guests can't see. Ask for a screen share instead.");
      }),
      () => clearTimeout(this.#toastTimer),
    );
    this.#troubles();
  }

  /** What is wrong now, and what to do about it. */
  #troubles(): void {
    const lines: HTMLElement[] = [];
    if (this.#call.isReconnecting) lines.push(h("div", { class: "trouble-line" }, icon("warning"), "The connection was lost. Connecting again …"));
    for (const [name, value] of this.#call.diagnostics.latest) {
      if (value !== true && value !== "Bad") continue;
      if (name === "speakerMuted") {
        lines.push(h("div", { class: "trouble-line" }, icon("warning"), "The browser plays no sound yet. ", h("button", { class: "button small", attrs: { type: "button" }, on: { click: () => void this.#call.resumeAudio() } }, "Turn sound on")));
        continue;
      }
      const text = advice(name as DiagnosticName);
      if (text) lines.push(h("div", { class: "trouble-line" }, icon("warning"), text));
    }
    const now = lines.map((line) => line.textContent).join("\n");
    if (now !== [...this.#trouble.children].map((line) => line.textContent).join("\n")) this.#trouble.replaceChildren(...lines);
  }

  #say(text: string): void {
    clearTimeout(this.#toastTimer);
    this.#toast.textContent = text;
    this.#toast.hidden = false;
    this.#toastTimer = setTimeout(() => (this.#toast.hidden = true), SAY_MS);
  }

  #openSettings(): void {
    const scope = new Scope();
    const pickers = devicePickers(this.#client, scope, { get: () => this.#call.localVideo, choose: (id) => void this.#chooseCamera(id) });
    const dialog = h(
      "dialog",
      { class: "dialog", attrs: { "aria-labelledby": "settings-title" } },
      h("h2", { id: "settings-title" }, "Camera, microphone, speaker"),
      pickers,
      h("div", { class: "row end" }, h("button", { class: "button primary", attrs: { type: "button" }, on: { click: () => dialog.close() } }, "Done")),
    );
    dialog.addEventListener("close", () => {
      scope.end();
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  }

  async #chooseCamera(id: string): Promise<void> {
    const source = (await this.#client.deviceManager.getCameras()).find((c) => c.id === id);
    if (!source) return;
    try {
      if (this.#call.localVideo) await this.#call.localVideo.switchSource(source);
      else await this.#call.startVideo(new LocalVideoStream(source));
    } catch (error) {
      announce(problem(error));
      this.#say(problem(error));
    }
  }
}
