package meeting

import (
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// text says a reason in plain English: what happened, what to do.
func text(reason string) string {
	if s := ownText(reason); s != "" {
		return s
	}
	switch policy.Reason(reason) {
	case policy.AnonymousJoinDisabled:
		return "This organisation doesn't let guests join its meetings. Ask the organiser how to take part."
	case policy.PersonalOrganization:
		return "This meeting belongs to a personal account, which hosts no guests. Ask the organiser how to take part."
	case policy.GuestInitiatedCall:
		return "This call was started by a guest of an application; users of the organisation can't join it."
	case policy.LiveEvent:
		return "Guests can't join live events. Ask the organiser how to watch."
	case policy.WaitingForHost:
		return "The meeting has no host yet. You are let in, or asked to wait in the lobby, once one arrives."
	case policy.InLobby:
		return "You are in the lobby. Somebody in the meeting has to let you in."
	case policy.MeetingFull:
		return "The meeting has as many participants as a meeting may have. Try again when somebody has left."
	case policy.CallLimitGuest:
		return "The meeting has as many participants as one with guests may have. Try again when somebody has left."
	case policy.ChatLimitGuest:
		return "The chat has more members than a chat with guests may have. Guests can't use it until some have left."
	case policy.GuestNotAllowed:
		return "Guests can't do this. Ask somebody of the organisation that hosts the meeting."
	case policy.ChannelMeeting:
		return "This meeting belongs to a channel, whose chat isn't for guests."
	case policy.NotSupportedForGuests:
		return "This isn't available to guests."
	case policy.AttendeeRole:
		return "Attendees of this webinar can't do this. Ask the organiser to be made a presenter."
	case policy.PolicyRestricted:
		return "The organisation or the organiser has switched this off for guests."
	case policy.ConsentRequired:
		return "The meeting is recorded or transcribed. Agree to that first to send sound or pictures."
	case policy.PolicyFailed:
		return "It could not be decided whether this is allowed, so it is not. Try again; if it goes on, tell the organiser."
	}
	return "This organisation's policy doesn't allow it."
}

// ownText has the reasons that are not policy's.
func ownText(reason string) string {
	switch reason {
	case "left":
		return "You left the meeting."
	case protocol.ReasonMeetingEnded:
		return "The meeting has ended."
	case protocol.ReasonMeetingNotFound:
		return "There is no such meeting, or the link is not right. Ask for the link again."
	case protocol.ReasonShuttingDown:
		return "The server is restarting. Your connection is taken up again in a moment."
	case protocol.ReasonSlowClient:
		return "Your connection could not keep up with the meeting. It is taken up again in a moment."
	case protocol.ReasonLobbyRejected:
		return "Somebody in the meeting declined to let you in."
	case protocol.ReasonLobbyTimeout:
		return "Nobody has let you in for a long time. Join again to go on waiting."
	case protocol.ReasonRemoved:
		return "Somebody in the meeting has removed you from it."
	case protocol.ReasonReplaced:
		return "You are connected from somewhere else now."
	case protocol.ReasonNotInMeeting:
		return "You are not in the meeting any more. Join again to take part."
	case protocol.ReasonNotAdmitted:
		return "You have not been let in yet."
	case protocol.ReasonNotFound:
		return "That doesn't exist, or not any more."
	case protocol.ReasonNotYours:
		return "Only who wrote a message can change or delete it."
	case protocol.ReasonRateLimited:
		return "That was too often. Wait a moment and try again."
	case protocol.ReasonUnavailable:
		return "This could not be recorded just now, so it was not done. Try again in a moment."
	case protocol.ReasonNoSink:
		return "No transcription service is set up or reachable. Ask the administrator."
	case ReasonNoRecording:
		return "Recording is not set up, or can't write just now. Ask the administrator."
	case protocol.ReasonInvalidSDP:
		return "The session description can't be used. Reload the page, or update the application."
	case protocol.ReasonTooManyTracks:
		return "You publish more tracks than one participant may. Stop one first."
	case protocol.ReasonMalformed:
		return "The message is not valid JSON of the form that its type has. See the protocol's description."
	case protocol.ReasonUnknownType:
		return "There is no request of this type. See the protocol's description."
	case protocol.ReasonTooLarge:
		return "The message is larger than messages of its type may be."
	case protocol.ReasonInternal:
		return "Something went wrong in the service. Try again; if it goes on, tell the administrator."
	}
	return ""
}
