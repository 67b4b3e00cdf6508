import type { Call } from "@anteroom/client";
import { h, type Scope } from "./dom.js";

/** The page while one waits before the door. */
export function waitingView(call: Call, scope: Scope, leave: () => void): HTMLElement {
  const title = h("h1", {});
  const text = h("p", {});
  const show = (): void => {
    const host = call.organization || "the organisation";
    const waitsForHost = call.lobbyState === "waiting_for_host";
    title.textContent = waitsForHost ? "Waiting for the host" : "You are in the lobby";
    text.textContent = waitsForHost
      ? `Nobody of ${host} is in the meeting yet. Once somebody is, they are told that you wait.`
      : `Somebody of ${host} is in the meeting and was told that you wait. You'll come in as soon as they let you.`;
  };
  show();
  scope.add(call.on("lobbyStateChanged", show));
  const video = h("video", { class: "mirror", attrs: { "aria-label": "Your camera, as in a mirror", muted: true } });
  if (call.localVideo) scope.add(call.localVideo.attach(video));
  return h(
    "main",
    { class: "page waiting" },
    h("div", { class: "waiting-dots", attrs: { "aria-hidden": "true" } }, h("span"), h("span"), h("span")),
    h("div", { attrs: { role: "status" } }, title, text),
    call.localVideo && h("div", { class: "mirror-box small" }, video),
    h("p", { class: "quiet" }, "Nobody sees or hears you while you wait. Keep this page open."),
    h("button", { class: "button", attrs: { type: "button" }, on: { click: leave } }, "Leave"),
    supportCode(call),
  );
}

/** What to tell support, ready to copy. */
export function supportCode(call: Call): HTMLElement {
  const code = call.supportCode;
  const button = h("button", {
    class: "link",
    attrs: { type: "button" },
    on: {
      click: () => {
        void navigator.clipboard?.writeText(code).then(() => (button.textContent = "Copied"));
      },
    },
  }, "Copy");
  return h("p", { class: "support" }, "Support code ", h("code", { id: "support-code" }, code), " ", button);
}
