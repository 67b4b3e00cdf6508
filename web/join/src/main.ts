/** The join page: before, waiting, in the call, after. */
import { AnteroomError, CallClient, parseMeetingLink, type Call } from "@anteroom/client";
import { guestToken, meetingInfo, signOut, signedIn, type MeetingInfo } from "./api.js";
import { beforeView, restoreSecret, type Entry, type Identity } from "./before-view.js";
import { CallView } from "./call-view.js";
import { Scope } from "./dom.js";
import { endedView } from "./ended-view.js";
import { explain } from "./texts.js";
import { waitingView } from "./waiting-view.js";

const client = new CallClient();
const root = document.getElementById("root") ?? document.body;
let scope = new Scope();

/** Puts a view in place of the one before. Its heading gets the focus, so that the keyboard and screen readers start there. */
function show(title: string, make: (scope: Scope) => HTMLElement): void {
  scope.end();
  scope = new Scope();
  document.title = title;
  root.replaceChildren(make(scope));
  const heading = root.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus();
}

async function begin(): Promise<void> {
  restoreSecret();
  try {
    const link = parseMeetingLink(location.href);
    const [meeting, user] = await Promise.all([meetingInfo(link), signedIn()]);
    // Whoever is of another organisation is a guest here.
    const member = user?.organization === meeting.organization ? user : undefined;
    showBefore(meeting, { user: member, asGuest: false, lastName: "" });
  } catch (error) {
    showFailure(error, () => void begin());
  }
}

function showBefore(meeting: MeetingInfo, who: Identity): void {
  const host = {
    join: (entry: Entry) => join(entry, meeting, who),
    choose: (asGuest: boolean) => showBefore(meeting, { ...who, asGuest }),
    signOut: async () => {
      await signOut();
      showBefore(meeting, { ...who, user: undefined, asGuest: false });
    },
  };
  show("Join a meeting", (scope) => beforeView(client, scope, meeting, who, host));
}

async function join(entry: Entry, meeting: MeetingInfo, who: Identity): Promise<void> {
  const user = who.asGuest ? undefined : who.user;
  const again = (): void => showBefore(meeting, { ...who, lastName: entry.displayName || who.lastName });
  try {
    const call = await client.join({
      meeting: location.href,
      serverUrl: location.origin,
      ...(!user && { token: guestToken, displayName: entry.displayName }),
      audio: { enabled: entry.microphoneOn, muted: !entry.microphoneOn },
      ...(entry.camera && { camera: entry.camera }),
    });
    follow(call, user?.name ?? entry.displayName, again);
  } catch (error) {
    entry.camera?.stop();
    showFailure(error, again);
  }
}

/** Shows what the call's state asks for, until it is over. */
function follow(call: Call, name: string, again: () => void): void {
  const leave = (): void => void call.hangUp();
  let shown = "";
  const update = (): void => {
    const state = call.state;
    if (state === shown) return;
    shown = state;
    if (state === "InLobby") show("Waiting to be let in", (scope) => waitingView(call, scope, leave));
    if (state === "Connected") show(call.title || "Meeting", (scope) => new CallView(client, call, scope, name, leave).element);
    if (state === "Disconnected") {
      const { reason, message } = call.callEndReason ?? { reason: "left", message: "" };
      const explanation = explain(reason, message);
      show(explanation.title, () => endedView(explanation, call.supportCode, again));
    }
  };
  call.on("stateChanged", update);
  update();
  // A page that is closed leaves at once, rather than after the grace.
  addEventListener("pagehide", (event) => {
    if (!event.persisted) leave();
  });
}

function showFailure(error: unknown, again: () => void): void {
  const { reason, message } = error instanceof AnteroomError ? error : { reason: "internal", message: "" };
  const explanation = explain(reason, message);
  show(explanation.title, () => endedView(explanation, "", again));
}

void begin();
