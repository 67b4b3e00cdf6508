import type { Call, RemoteParticipant } from "@anteroom/client";
import { ask, fillRows, h, personName, type Scope } from "./dom.js";
import { icon } from "./icons.js";
import { problem } from "./texts.js";

/** Everybody in the meeting; org users mute and remove here. */
export function peopleView(call: Call, scope: Scope): HTMLElement {
  const list = h("ul", { class: "list" });
  const error = h("p", { class: "field-error", attrs: { role: "alert" } });
  const fail = (e: unknown): void => void (error.textContent = problem(e));
  const render = (): void => {
    const self = h("li", { class: "list-row", key: "self" }, personName(call.displayName, call.kind === "guest", true), personState(call.activities.isHandRaised, call.isMuted));
    fillRows(list, [self, ...call.remoteParticipants.map((p) => personLine(call, p, fail))]);
  };
  const watch = (p: RemoteParticipant): void => {
    p.on("updated", render);
    p.on("videoStreamsUpdated", render);
  };
  for (const p of call.remoteParticipants) watch(p);
  render();
  scope.add(
    call.on("remoteParticipantsUpdated", ({ added }) => {
      for (const p of added) watch(p);
      render();
    }),
    call.capabilities.on("capabilitiesChanged", render),
    call.activities.on("isHandRaisedChanged", render),
    call.on("isMutedChanged", render),
  );
  return h("div", { class: "people" }, error, list);
}

/** A raised hand and a muted microphone, as icons with words for those who don't see them. */
function personState(handRaised: boolean, muted: boolean): HTMLElement {
  return h(
    "span",
    { class: "row" },
    handRaised && h("span", { class: "hand", title: "Hand raised" }, icon("hand"), h("span", { class: "sr" }, "Hand raised")),
    muted && h("span", { class: "muted", title: "Muted" }, icon("micOff"), h("span", { class: "sr" }, "Muted")),
  );
}

function personLine(call: Call, p: RemoteParticipant, fail: (error: unknown) => void): HTMLElement {
  const remove = async (): Promise<void> => {
    if (await ask(`Remove ${p.displayName}?`, "They leave the meeting at once. They may ask to join again.", "Remove")) await call.removeParticipant(p).catch(fail);
  };
  const button = (label: string, click: () => void): HTMLElement =>
    h("button", { class: "button small", attrs: { type: "button", "aria-label": `${label} ${p.displayName}` }, on: { click } }, label);
  return h(
    "li",
    { class: "list-row", key: p.identifier },
    personName(p.displayName, p.isExternal),
    h(
      "span",
      { class: "row" },
      personState(p.isHandRaised, p.isMuted),
      call.capabilities.get("muteOthers").isPresent && !p.isMuted && button("Mute", () => void call.muteParticipant(p).catch(fail)),
      call.capabilities.get("removeParticipant").isPresent && button("Remove", () => void remove()),
    ),
  );
}
