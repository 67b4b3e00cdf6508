import type { Call, LobbyParticipant } from "@anteroom/client";
import { announce, clock, fillRows, h, personName, type Scope } from "./dom.js";
import { problem } from "./texts.js";

/** Who waits before the door, for those who may open it. `onWaiting` gets how many wait. */
export function lobbyView(call: Call, scope: Scope, onWaiting: (count: number) => void): HTMLElement {
  const list = h("ul", { class: "list" });
  const empty = h("p", { class: "quiet empty" }, "Nobody waits. Whoever does is shown here, with a sound.");
  const error = h("p", { class: "field-error", attrs: { role: "alert" } });
  const tryTo = (act: Promise<void>): void => {
    error.textContent = "";
    act.catch((e: unknown) => (error.textContent = problem(e)));
  };
  const all = h("button", { class: "button primary", attrs: { type: "button" }, on: { click: () => tryTo(call.lobby.admitAll()) } }, "Admit all");
  const render = (): void => {
    const waiting = call.lobby.participants;
    fillRows(list, waiting.map((p) => line(call, p, tryTo)));
    empty.hidden = waiting.length > 0;
    const hadFocus = all === document.activeElement;
    all.hidden = waiting.length < 2;
    if (hadFocus && all.hidden) (list.querySelector("button") ?? all.closest(".panel")?.querySelector("h2"))?.focus();
    onWaiting(waiting.length);
  };
  render();
  scope.add(
    call.lobby.on("lobbyParticipantsUpdated", ({ added }) => {
      render();
      for (const p of added) announce(`${p.displayName}${p.isExternal ? ", external," : ""} waits in the lobby.`);
      if (added.length > 0) chime();
    }),
    call.capabilities.on("capabilitiesChanged", render),
  );
  return h("div", { class: "lobby" }, error, all, empty, list);
}

function line(call: Call, p: LobbyParticipant, tryTo: (act: Promise<void>) => void): HTMLElement {
  const button = (label: string, style: string, act: () => Promise<void>): HTMLElement =>
    h("button", { class: `button small ${style}`, attrs: { type: "button", "aria-label": `${label} ${p.displayName}` }, on: { click: () => tryTo(act()) } }, label);
  return h(
    "li",
    { class: "list-row", key: p.identifier },
    personName(p.displayName, p.isExternal),
    h("div", { class: "row" }, h("span", { class: "quiet" }, `waits since ${clock(p.since)}`), h("span", { class: "row" }, button("Admit", "primary", () => call.lobby.admit(p.identifier)), button("Reject", "", () => call.lobby.reject(p.identifier)))),
  );
}

/** Two short tones. A browser that plays none before a click stays silent; the badge is there all the same. */
function chime(): void {
  const context = new AudioContext();
  const gain = context.createGain();
  gain.gain.setValueAtTime(0.08, context.currentTime);
  gain.gain.exponentialRampToValueAtTime(0.001, context.currentTime + 0.5);
  gain.connect(context.destination);
  for (const [index, frequency] of [660, 880].entries()) {
    const tone = context.createOscillator();
    tone.frequency.value = frequency;
    tone.connect(gain);
    tone.start(context.currentTime + index * 0.16);
    tone.stop(context.currentTime + index * 0.16 + 0.3);
  }
  setTimeout(() => void context.close(), 1_000);
}
