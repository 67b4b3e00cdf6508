import type { Call, Notice } from "@anteroom/client";
import { clock, h, type Scope } from "./dom.js";
import { icon } from "./icons.js";
import { problem } from "./texts.js";

/** How long a notice stays that something has stopped, in milliseconds. */
const STOPPED_MS = 15_000;

/**
 * The bar that says that the meeting is recorded or transcribed, for as long as it is: with a word and an icon, and read aloud at once.
 * A notice is acknowledged once it has been painted.
 */
export function noticesView(call: Call, scope: Scope): HTMLElement {
  const bar = h("div", { class: "notices", attrs: { role: "alert", "aria-label": "Notices" } });
  const shown = new Map<string, HTMLElement>();
  const update = (active: readonly Notice[]): void => {
    for (const [id, line] of shown) {
      if (active.some((notice) => notice.notice_id === id)) continue;
      line.remove();
      shown.delete(id);
    }
    for (const notice of active) {
      const line = lineOf(call, notice);
      const before = shown.get(notice.notice_id);
      // Only what changed is written anew, or a screen reader would read everything again.
      if (before?.dataset.state === line.dataset.state) continue;
      if (before) before.replaceWith(line);
      else bar.append(line);
      shown.set(notice.notice_id, line);
    }
  };
  update(call.notices.active);
  for (const notice of call.notices.active) acknowledge(call, notice);
  scope.add(
    call.notices.on("activeChanged", update),
    call.notices.on("notice", (notice) => {
      if (notice.kind.endsWith("_stopped")) {
        const line = lineOf(call, notice);
        bar.append(line);
        setTimeout(() => line.remove(), STOPPED_MS);
      }
      acknowledge(call, notice);
    }),
  );
  return bar;
}

const WORDS: Record<Notice["kind"], [string, string]> = {
  recording_started: ["Recording", "This meeting is being recorded"],
  recording_stopped: ["Recording stopped", "This meeting is no longer recorded"],
  transcription_started: ["Transcription", "What is said is being transcribed"],
  transcription_stopped: ["Transcription stopped", "What is said is no longer transcribed"],
};

const CONSENT = {
  required: " Your microphone and camera stay off until you agree.",
  declined: " You did not agree, so your microphone and camera stay off. You may agree later.",
  given: "",
};

function lineOf(call: Call, notice: Notice): HTMLElement {
  const [word, text] = WORDS[notice.kind];
  const holds = notice.kind.endsWith("_started");
  const consent = call.notices.consentState(notice);
  const asks = consent === "required" || consent === "declined";
  const line = h(
    "div",
    { class: holds ? "notice holds" : "notice" },
    icon(notice.kind.startsWith("recording") ? "record" : "transcript"),
    h("strong", {}, word),
    h("span", { class: "notice-text" }, `${text} (since ${clock(notice.since)}).${CONSENT[consent ?? "given"]}`),
    asks && consentButtons(call, notice, consent === "required"),
  );
  line.dataset.state = consent ?? "";
  return line;
}

function consentButtons(call: Call, notice: Notice, mayDecline: boolean): HTMLElement {
  const failure = h("span", { class: "field-error" });
  const answer = (accepted: boolean): void => {
    call.notices.consent(notice, accepted).catch((error: unknown) => (failure.textContent = problem(error)));
  };
  return h(
    "span",
    { class: "row" },
    h("button", { class: "button primary", attrs: { type: "button" }, on: { click: () => answer(true) } }, "I agree"),
    mayDecline && h("button", { class: "button", attrs: { type: "button" }, on: { click: () => answer(false) } }, "I don't agree"),
    failure,
  );
}

/** Acknowledges after the next painting: then it is in sight. A page in the background isn't painted. */
function acknowledge(call: Call, notice: Notice): void {
  requestAnimationFrame(() => setTimeout(() => void call.notices.acknowledge(notice).catch(() => undefined)));
}
