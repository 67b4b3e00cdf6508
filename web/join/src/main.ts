/** The join page: before, waiting, in the call, after. */
import { AnteroomError, CallClient, parseMeetingLink, type Call } from "@anteroom/client";
import { guestToken, meetingInfo, signOut, signedIn, type MeetingInfo } from "./api.js";
import { beforeView, restoreSecret, type Entry, type Identity } from "./before-view.js";
import { CallView } from "./call-view.js";
import { h, Scope } from "./dom.js";
import { endedView } from "./ended-view.js";
import { cameraOf, forgetPlace, keepPlace, keptPlace, type Place } from "./place.js";
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
    const who = { user: member, asGuest: false, lastName: "" };
    const place = keptPlace();
    if (place) await comeBack(place, meeting, who);
    else showBefore(meeting, who);
  } catch (error) {
    showFailure(error, () => void begin());
  }
}

/** Takes up the place of the page before, if it is still there. */
async function comeBack(place: Place, meeting: MeetingInfo, user: Identity): Promise<void> {
  const who = { ...user, asGuest: place.asGuest };
  show("Coming back", () => h("main", { class: "page waiting" }, h("h1", {}, "Coming back to the meeting …")));
  const camera = cameraOf(place);
  try {
    const call = await client.resume({
      serverUrl: location.origin,
      resumeToken: place.resumeToken,
      audio: { enabled: !place.muted, muted: place.muted },
      ...(camera && { camera }),
    });
    follow(call, place.asGuest, () => showBefore(meeting, { ...who, lastName: place.asGuest ? call.displayName : "" }));
  } catch (error) {
    camera?.stop();
    if (error instanceof AnteroomError && ["resume_expired", "invalid_token"].includes(error.reason)) {
      forgetPlace();
      showBefore(meeting, who);
      return;
    }
    if (error instanceof AnteroomError && error.reason === "meeting_ended") forgetPlace();
    throw error;
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
    follow(call, !user, again);
  } catch (error) {
    entry.camera?.stop();
    showFailure(error, again);
  }
}

/** Shows what the call's state asks for, until it is over. */
function follow(call: Call, asGuest: boolean, again: () => void): void {
  keepPlace(call, asGuest);
  const leave = (): void => void call.hangUp();
  let shown = "";
  const update = (): void => {
    const state = call.state;
    if (state === shown) return;
    shown = state;
    if (state === "InLobby") show("Waiting to be let in", (scope) => waitingView(call, scope, leave));
    if (state === "Connected") show(call.title || "Meeting", (scope) => new CallView(client, call, scope, leave).element);
    if (state === "Disconnected") {
      const { reason, message, isOwn } = call.callEndReason ?? { reason: "left", message: "" };
      const explanation = explain(reason, message, { orgUser: call.kind === "org_user", own: isOwn === true });
      show(explanation.title, () => endedView(explanation, call.supportCode, again));
    }
  };
  call.on("stateChanged", update);
  update();
}

function showFailure(error: unknown, again: () => void): void {
  const { reason, message } = error instanceof AnteroomError ? error : { reason: "internal", message: "" };
  const explanation = explain(reason, message);
  show(explanation.title, () => endedView(explanation, "", again));
}

void begin();
