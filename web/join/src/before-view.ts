import type { CallClient } from "@anteroom/client";
import { signInUrl, type MeetingInfo, type SignedIn } from "./api.js";
import { DeviceCheck, type DeviceChoice } from "./devices-view.js";
import { h, type Scope } from "./dom.js";
import { problem } from "./texts.js";

/** What the user said before the call. */
export interface Entry extends DeviceChoice {
  displayName: string;
}

const LONGEST_NAME = 256;

/** As whom one joins. */
export interface Identity {
  /** The signed-in user of the hosting organisation; undefined: nobody is signed in. */
  user: SignedIn | undefined;
  /** Somebody signed in may join as a guest all the same. */
  asGuest: boolean;
  /** The name that was typed before. */
  lastName: string;
}

/** What the page before the call asks of the page around it. */
export interface BeforeHost {
  /** Resolves when the page may be used again. */
  join(entry: Entry): Promise<void>;
  /** Joins as a guest, or as the signed-in user again. */
  choose(asGuest: boolean): void;
  /** Fails with AnteroomError. */
  signOut(): Promise<void>;
}

/** The page before the call: name, devices, and what will happen next. */
export function beforeView(client: CallClient, scope: Scope, meeting: MeetingInfo, who: Identity, host: BeforeHost): HTMLElement {
  const user = who.asGuest ? undefined : who.user;
  const check = new DeviceCheck(client, scope);
  // Guests join from whatever machine is at hand: browsers keep on disk, beyond the call, what is typed into fields that may be
  // completed. Nothing of this page may be.
  const name = h("input", {
    id: "name",
    class: "input",
    attrs: { type: "text", autocomplete: "off", maxlength: LONGEST_NAME, required: true, value: who.lastName, "aria-describedby": "name-error" },
  });
  const error = h("p", { id: "name-error", class: "field-error", attrs: { role: "alert" } });
  const button = h("button", { class: "button primary wide", attrs: { type: "submit" } }, "Join");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const displayName = name.value.trim();
    const wrong = user ? "" : nameError(displayName);
    error.textContent = wrong;
    name.setAttribute("aria-invalid", String(wrong !== ""));
    if (wrong) {
      name.focus();
      return;
    }
    button.disabled = true;
    button.textContent = "Joining …";
    await host.join({ displayName, ...check.take() });
    button.disabled = false;
    button.textContent = "Join";
  };
  return h(
    "main",
    { class: "page before" },
    h("h1", {}, "Join a meeting of ", h("bdi", {}, meeting.organizationName)),
    h(
      "form",
      { class: "before-columns", attrs: { novalidate: true }, on: { submit: (event) => void submit(event) } },
      check.element,
      h(
        "div",
        { class: "stack" },
        user
          ? h("p", {}, "You join as ", h("strong", {}, h("bdi", {}, user.name)), " of ", h("bdi", {}, meeting.organizationName), ".")
          : h("div", { class: "field" }, h("label", { attrs: { for: "name" } }, "Your name"), name, error),
        who.user && otherIdentity(who.user, who.asGuest, host),
        h("div", { class: "next" }, h("h2", {}, "What happens next"), user ? nextForUser() : nextForGuest(meeting.organizationName)),
        button,
        !who.user && h("p", { class: "quiet" }, "Do you work at ", h("bdi", {}, meeting.organizationName), "? ", h("a", { attrs: { href: signInUrl(meeting.organization) }, on: { click: keepSecret } }, "Sign in"), "."),
      ),
    ),
  );
}

/** What somebody signed in may do instead. */
function otherIdentity(user: SignedIn, asGuest: boolean, host: BeforeHost): HTMLElement {
  const error = h("p", { class: "field-error", attrs: { role: "alert" } });
  const signOut = (): void => void host.signOut().catch((e: unknown) => (error.textContent = problem(e)));
  const link = (text: string, click: () => void): HTMLElement => h("button", { class: "link", attrs: { type: "button" }, on: { click } }, text);
  return h(
    "div",
    {},
    h("p", { class: "row" }, link(asGuest ? `Join as ${user.name} instead` : "Join as a guest instead", () => host.choose(!asGuest)), link("Sign out", signOut)),
    error,
  );
}

function nextForGuest(host: string): HTMLElement {
  return h(
    "ol",
    {},
    h("li", {}, "You'll wait until somebody of ", h("bdi", {}, host), " lets you in. Meanwhile nobody sees or hears you."),
    h("li", {}, "In the meeting you are labelled ", h("strong", {}, "external"), ", with the name that you type here."),
    h("li", {}, "If the meeting is recorded or transcribed, this page tells you, for as long as it is."),
  );
}

function nextForUser(): HTMLElement {
  return h("ol", {}, h("li", {}, "You go straight in, unless the meeting has a lobby for you too."), h("li", {}, "Guests who wait are shown to you, and you decide who comes in."));
}

/** Says what is wrong with a name; "" if nothing is. The server checks again. */
export function nameError(name: string): string {
  if (name === "") return "Type your name, so that the others know who asks to come in.";
  if ([...name].length > LONGEST_NAME) return `The name is too long: use at most ${LONGEST_NAME} characters.`;
  // Control characters, and those that turn the direction of text around.
  if (/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]/u.test(name)) return "The name has invisible control characters. Type it anew, without pasting.";
  return "";
}

const SECRET_KEY = "anteroom.link-secret";

/** Keeps the link's secret over the sign-in: in this tab only, until this page is back. */
function keepSecret(): void {
  sessionStorage.setItem(SECRET_KEY, location.pathname + location.hash);
}

/** Puts the link's secret back after the sign-in. */
export function restoreSecret(): void {
  const kept = sessionStorage.getItem(SECRET_KEY);
  sessionStorage.removeItem(SECRET_KEY);
  if (kept?.startsWith(`${location.pathname}#`) && !location.hash) history.replaceState(null, "", kept);
}
