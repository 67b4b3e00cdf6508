import { AnteroomError, type DiagnosticName } from "@anteroom/client";

/** What happened, in a line, and what to do. */
export interface Explanation {
  title: string;
  text: string;
  /** Whether joining again may help. */
  again: boolean;
}

const ENDINGS: Record<string, Explanation> = {
  left: { title: "You left the meeting", text: "The chat of this meeting is no longer available to you. You can join again with the same link; you may have to wait in the lobby.", again: true },
  meeting_ended: { title: "The meeting has ended", text: "It was ended for everybody. The chat of this meeting is no longer available here.", again: false },
  removed: { title: "You were removed from the meeting", text: "Somebody of the organisation removed you. If you think that was a mistake, contact whoever invited you.", again: true },
  lobby_rejected: { title: "You were not let in", text: "Somebody of the organisation declined your request to join. Contact whoever invited you if you expected to be let in.", again: true },
  lobby_timeout: { title: "Nobody let you in", text: "You waited as long as the lobby allows. Ask whoever invited you to be in the meeting, then join again.", again: true },
  connection_lost: { title: "The connection was lost", text: "It could not be made again in time. Check your network, then join again.", again: true },
  resume_expired: { title: "You were away for too long", text: "The connection was lost for longer than a place is kept. Join again; you may have to wait in the lobby.", again: true },
  replaced: { title: "You are in the meeting in another window", text: "Your place was taken up there, for instance by a copy of this tab. Leave there first, or join again here: then you are in the meeting twice.", again: true },
  slow_client: { title: "This device could not keep up", text: "The connection was too slow for what the meeting sends. Close other programs or change the network, then join again.", again: true },
  shutting_down: { title: "The meeting server is restarting", text: "Nothing was wrong on your side. Join again in a minute.", again: true },
  meeting_not_found: { title: "There is no such meeting", text: "The link may be incomplete or no longer valid. Copy the whole link from the invitation, or ask for a new one.", again: false },
  invalid_meeting_link: { title: "This link is not complete", text: "A part of the meeting's link is missing. Copy the whole link from the invitation, the part after # included.", again: false },
  anonymous_join_disabled: { title: "Guests can't join", text: "The organisation doesn't let guests join its meetings. If you work there, sign in and join again; otherwise contact whoever invited you.", again: false },
  personal_organization: { title: "Guests can't join", text: "Meetings of a personal account host no guests. Contact whoever invited you.", again: false },
  guest_initiated_call: { title: "You can't join this call", text: "It was started by a guest, and people of the organisation can't join such calls.", again: false },
  live_event: { title: "Guests can't join live events", text: "Ask whoever invited you for another way to watch.", again: false },
  meeting_full: { title: "The meeting is full", text: "It has as many participants as it may have. Try again when somebody has left.", again: true },
  call_limit_guest: { title: "The meeting is full for guests", text: "There are so many participants that no more guests can join. Try again later.", again: true },
  rate_limited: { title: "Too many tries", text: "There were too many tries to join from this network. Wait a minute, then try again.", again: true },
  connection_failed: { title: "The meeting server can't be reached", text: "Check your network. If other pages work, the meeting server may be down: try again in a minute.", again: true },
};

/** What people of the organisation are told instead: they wait in no lobby, and keep the meeting's link. */
const ORG_USER_ENDINGS: Record<string, Explanation> = {
  left: { title: "You left the meeting", text: "You can join again with the same link.", again: true },
  meeting_ended: { title: "The meeting has ended", text: "It was ended for everybody. You can join with the same link to start it anew.", again: true },
  ended_by_oneself: { title: "You ended the meeting for everybody", text: "All were disconnected, and guests have no access to its chat any more. You can join with the same link to start it anew.", again: true },
};

/** Whose end is explained. */
interface Whose {
  orgUser?: boolean;
  /** Oneself ended the meeting for everybody. */
  own?: boolean;
}

/** Explains the end of a call or why joining failed; `message` is the server's, for reasons that this page doesn't know. */
export function explain(reason: string, message: string, whose: Whose = {}): Explanation {
  const told = whose.orgUser ? ORG_USER_ENDINGS[whose.own ? "ended_by_oneself" : reason] : undefined;
  return told ?? ENDINGS[reason] ?? { title: "You are not in the meeting", text: message || "Something went wrong. Try again.", again: true };
}

const NOT_ALLOWED: Record<string, string> = {
  guest_not_allowed: "Guests can't do this.",
  not_supported_for_guests: "This is for people of the organisation only.",
  channel_meeting: "In meetings of a channel, guests have no chat.",
  chat_limit_guest: "The chat has so many people that guests can't use it.",
  policy_restricted: "The organisation has switched this off for this meeting.",
  attendee_role: "Attendees of this webinar can't do this.",
  consent_required: "First answer the notice about the recording.",
  not_admitted: "You are not in the meeting yet.",
  transcription_unavailable: "Transcription is not set up on this server. Ask whoever runs it.",
  events_unavailable: "The server can't keep records just now, so it refused. Try again in a minute.",
  rate_limited: "That was too fast. Wait a moment, then try again.",
  not_your_message: "Only the author can change a message.",
};

/** Says in one sentence why something is refused. */
export function whyNot(reason: string): string {
  return NOT_ALLOWED[reason] ?? "This is not possible just now.";
}

/** Says what went wrong, for anything that was thrown. */
export function problem(error: unknown): string {
  if (!(error instanceof AnteroomError)) return "Something went wrong. Try again.";
  return NOT_ALLOWED[error.reason] ?? error.message;
}

const DIAGNOSTICS: Partial<Record<DiagnosticName, string>> = {
  noNetwork: "This device has no network. Check Wi-Fi or cable.",
  networkReceiveQuality: "Your network loses much of what others send. Move closer to the router, or switch your camera off.",
  networkSendQuality: "Your network loses much of what you send. Others may not hear you well.",
  microphonePermissionDenied: "This page may not use the microphone. Allow it in the browser's address bar.",
  noMicrophoneDevicesEnumerated: "No microphone was found. Connect one.",
  microphoneNotFunctioning: "The microphone stopped working. Choose another one in the settings.",
  microphoneMuteUnexpectedly: "Your system or headset has muted the microphone. Others can't hear you.",
  cameraPermissionDenied: "This page may not use the camera. Allow it in the browser's address bar.",
  cameraStartFailed: "The camera could not be started. Another program may be using it.",
  cameraStoppedUnexpectedly: "The camera stopped. Check its cable, then turn it on again.",
  cameraFreeze: "Your camera's picture has frozen. Turn the camera off and on.",
  capturerStartFailed: "The screen could not be shared.",
};

/** What the user can do about a diagnostic; undefined: nothing worth telling. */
export function advice(name: DiagnosticName): string | undefined {
  return DIAGNOSTICS[name];
}
