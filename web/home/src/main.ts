/** The start page: sign in, one's meetings with their links, a new meeting. */
import { h } from "../../join/src/dom";
import { type Meeting, type Session, meetings, newMeeting, session, signOut } from "./api";

const root = document.getElementById("root") as HTMLElement;

void show();

async function show(): Promise<void> {
  try {
    const who = await session();
    root.replaceChildren(who ? await signedIn(who) : signedOut());
  } catch (error) {
    root.replaceChildren(h("main", { class: "page" }, h("h1", {}, "Anteroom"), h("p", { class: "trouble", attrs: { role: "alert" } }, textOf(error))));
  }
}

function signedOut(): HTMLElement {
  return h(
    "main",
    { class: "page" },
    h("h1", {}, "Anteroom"),
    h("p", {}, "Meetings that people from outside can join. Were you invited? Then open the link that you got."),
    h("p", {}, h("a", { class: "button primary", attrs: { href: "/login?return_to=%2F" } }, "Sign in")),
  );
}

async function signedIn(who: Session): Promise<HTMLElement> {
  const member = who.roles.includes("org_user") || who.roles.includes("admin");
  const console = who.roles.some((role) => role !== "org_user" && role !== "guest");
  return h(
    "main",
    { class: "page" },
    h(
      "div",
      { class: "row" },
      h("h1", { class: "grow" }, who.organization ? `Meetings of ${who.organization}` : "Anteroom"),
      h("span", { class: "quiet" }, `${who.name ?? who.subject}, ${who.roles.map((role) => role.replace("_", " ")).join(", ")}`),
      console && h("a", { class: "button", attrs: { href: "/console" } }, "Console"),
      h("button", { class: "button", attrs: { type: "button" }, on: { click: () => void signOut().then(show) } }, "Sign out"),
    ),
    ...(member ? await meetingParts(who) : [h("p", {}, "Meetings are made by people of the organisation. What your role is for is in the console.")]),
  );
}

async function meetingParts(who: Session): Promise<HTMLElement[]> {
  const list = h("ul", { class: "meetings" });
  const fill = (all: Meeting[]): void => {
    list.replaceChildren(...(all.length > 0 ? all.map(line) : [h("li", { class: "quiet" }, "No meetings yet. Make one, and send its link to whom you want to meet.")]));
  };
  const known = await meetings();
  fill(known);
  if (!who.roles.includes("org_user")) return [list];
  const title = h("input", { class: "input", id: "title", attrs: { maxlength: 256, required: true, autocomplete: "off" } });
  const trouble = h("p", { class: "trouble", attrs: { role: "alert" } });
  const form = h(
    "form",
    {
      class: "row",
      on: {
        submit: (event) => {
          event.preventDefault();
          trouble.textContent = "";
          newMeeting(title.value.trim())
            .then((made) => {
              known.unshift(made);
              fill(known);
              form.reset();
            })
            .catch((error: unknown) => (trouble.textContent = textOf(error)));
        },
      },
    },
    h("div", { class: "field grow" }, h("label", { attrs: { for: "title" } }, "New meeting"), title),
    h("button", { class: "button primary", attrs: { type: "submit" } }, "Make meeting"),
  );
  return [form, trouble, list];
}

/** One meeting with what one does with it. */
function line(meeting: Meeting): HTMLElement {
  const copied = h("span", { class: "quiet", attrs: { "aria-live": "polite" } });
  const copy = (): void => void navigator.clipboard.writeText(meeting.join_url).then(() => (copied.textContent = "Copied"));
  return h(
    "li",
    { class: "row" },
    h("bdi", { class: "grow meeting-title", title: meeting.title }, meeting.title),
    copied,
    h("button", { class: "button small", attrs: { type: "button", "aria-label": `Copy link of ${meeting.title}` }, on: { click: copy } }, "Copy link"),
    h("a", { class: "button small primary", attrs: { href: meeting.join_url, "aria-label": `Join ${meeting.title}` } }, "Join"),
  );
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : "Something went wrong. Load the page again.";
}
