import type { Explanation } from "./texts.js";
import { h } from "./dom.js";

/** The page after the call, or when there is none. The chat is gone. */
export function endedView(explanation: Explanation, code: string, again: (() => void) | undefined): HTMLElement {
  return h(
    "main",
    { class: "page ended" },
    h("div", { attrs: { role: "alert" } }, h("h1", {}, explanation.title), h("p", {}, explanation.text)),
    again && explanation.again && h("button", { class: "button primary", attrs: { type: "button" }, on: { click: again } }, "Join again"),
    code !== "" && h("p", { class: "support" }, "If you ask for help, give this support code: ", h("code", { id: "support-code" }, code)),
  );
}
