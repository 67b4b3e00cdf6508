package event

import "github.com/anteroom/anteroom/event/eventpb"

// Type is the CloudEvents type of an event, from a closed set under "anteroom."; "" for an event without payload.
func Type(e *eventpb.Event) string {
	switch e.GetPayload().(type) {
	case *eventpb.Event_CallStarted:
		return "anteroom.call.started.v1"
	case *eventpb.Event_CallEnded:
		return "anteroom.call.ended.v1"
	case *eventpb.Event_ParticipantJoined:
		return "anteroom.participant.joined.v1"
	case *eventpb.Event_ParticipantLeft:
		return "anteroom.participant.left.v1"
	case *eventpb.Event_StreamReport:
		return "anteroom.stream.report.v1"
	case *eventpb.Event_StreamEnded:
		return "anteroom.stream.ended.v1"
	case *eventpb.Event_ClientDiagnostic:
		return "anteroom.client.diagnostic.v1"
	case *eventpb.Event_ClientOperation:
		return "anteroom.client.operation.v1"
	case *eventpb.Event_Survey:
		return "anteroom.survey.v1"
	case *eventpb.Event_Recording:
		return "anteroom.recording.v1"
	case *eventpb.Event_Chat:
		return "anteroom.chat.v1"
	case *eventpb.Event_Notice:
		return "anteroom.notice.v1"
	case *eventpb.Event_Decision:
		return "anteroom.decision.v1"
	case *eventpb.Event_ResourceGuest:
		return "anteroom.resource.guest.v1"
	}
	return ""
}
