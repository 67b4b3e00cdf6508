package logs

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// happenings make the records of what happened in the call: operations and diagnostics of clients, surveys, recordings, chat.
func (c *call) happenings() error {
	for i := range c.timeline {
		e := &c.timeline[i]
		var err error
		switch e.Kind {
		case "operation", "diagnostic":
			err = c.operation(e)
		case "survey":
			err = c.survey(e)
		case "recording":
			err = c.recording(e)
		case "chat":
			err = c.chat(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keyOf tells an entry from others of its participant.
func keyOf(e *store.TimelineEntry) string {
	return fmt.Sprintf("%d\n%s\n%s\n%s\n%s", e.ObservedAt.UnixMicro(), e.Kind, e.Name, e.Value, e.OperationID)
}

// payloadNames are the members of an operation's payload, by attribute.
var payloadNames = map[string]string{
	"new_state": "NewState", "call_direction": "CallDirection", "stream_type": "StreamType", "call_type": "CallType", "failure_reason": "FailureReason", "reason": "Reason",
}

func (c *call) operation(e *store.TimelineEntry) error {
	p, _, endpoint := c.who(e.ParticipantID)
	payload, name := fields{}, e.Name
	if e.Kind == "diagnostic" {
		payload["DiagnosticChanged"] = e.Name
		name = "UserFacingDiagnostics"
		switch e.Value {
		case "True", "False":
			payload["DiagnosticFlag"] = e.Value
		default:
			payload["DiagnosticQuality"] = e.Value
		}
	}
	for key, value := range e.Attributes {
		if as, ok := payloadNames[key]; ok {
			payload[as] = value
		}
	}
	properties := fields{
		"CallClientTimeStamp": stamp(e.ObservedAt), "OperationName": name, "CallId": c.CallID, "ParticipantId": idOrNil(e.ParticipantID),
		"OperationType": map[bool]string{true: "client-event", false: "client-api-request"}[e.Kind == "diagnostic"], "OperationId": idOrNil(e.OperationID),
		"DurationMs": e.DurationMs, "ResultType": orNil(e.Result), "SdkVersion": nil, "UserAgent": nil, "ClientInstanceId": nil, "EndpointId": nil,
		"OperationPayload": payload,
	}
	if p != nil {
		properties["EndpointId"] = c.endpointID(p, endpoint)
	}
	if e.ResultCode != 0 {
		properties["ResultSignature"] = e.ResultCode
	}
	return c.add(CallClientOperations, name, e.ParticipantID, e.ObservedAt, keyOf(e), nil, properties)
}

// subjects of a survey, with the beginning of their fields' names and the field of their tags.
var subjects = []struct{ subject, prefix, issues string }{
	{"overall", "Overall", "OverallCallIssues"}, {"audio", "Audio", "AudioIssues"}, {"video", "Video", "VideoIssues"}, {"screen", "Screenshare", "ScreenshareIssues"},
}

func (c *call) survey(e *store.TimelineEntry) error {
	properties := fields{"CallId": c.CallID, "ParticipantId": idOrNil(e.ParticipantID), "SurveyId": idOrNil(e.OperationID)}
	number := func(name, key string) {
		if n, err := strconv.Atoi(e.Attributes[key]); err == nil {
			properties[name] = n
		}
	}
	for _, s := range subjects {
		number(s.prefix+"RatingScore", s.subject+".score")
		number(s.prefix+"RatingScoreLowerBound", s.subject+".lower_bound")
		number(s.prefix+"RatingScoreUpperBound", s.subject+".upper_bound")
		number(s.prefix+"RatingScoreThreshold", s.subject+".threshold")
		if tags := e.Attributes[s.subject+".issues"]; tags != "" {
			properties[s.issues] = tags
		}
	}
	return c.add(CallSurvey, CallSurvey, e.ParticipantID, e.ObservedAt, keyOf(e), fields{"correlationId": idOrNil(e.ParticipantID)}, properties)
}

func (c *call) recording(e *store.TimelineEntry) error {
	properties := fields{
		"RecordingId": idOrNil(e.OperationID), "RecordingEndReason": orNil(e.Value), "RecordingStartTime": orNil(instant(e.Attributes["started_at"])),
		"RecordingLength": float64(e.DurationMs) / 1000, "ContentType": orNil(contentType(e.Attributes["content_type"])),
		"ChannelType": orNil(e.Attributes["channel_type"]), "FormatType": orNil(e.Attributes["format"]),
	}
	for name, key := range map[string]string{"ChunkCount": "chunks", "AudioChannelsCount": "audio_channels"} {
		if n, err := strconv.Atoi(e.Attributes[key]); err == nil {
			properties[name] = n
		}
	}
	return c.add(CallRecordingSummary, "RecordingSummary", uuid.Nil, e.ObservedAt, keyOf(e), fields{"resultType": "Succeeded"}, properties)
}

// contentType is the reference's word.
func contentType(s string) string {
	switch s {
	case "audio":
		return "Audio"
	case "video":
		return "Video"
	case "audioVideo":
		return "Audio - Video"
	}
	return s
}

func instant(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return ""
	}
	return stamp(t)
}

// acts on a message, as requests of the reference, with the HTTP status that answers them.
var acts = map[string]struct {
	operation string
	status    int
}{"sent": {"SendChatMessage", 201}, "edited": {"UpdateChatMessage", 204}, "deleted": {"DeleteChatMessage", 204}}

func (c *call) chat(e *store.TimelineEntry) error {
	act, known := acts[e.Value]
	if !known {
		return nil
	}
	_, identifier, _ := c.who(e.ParticipantID)
	properties := fields{
		"URI": nil, "UserId": orNil(identifier), "ChatThreadId": orNil(c.MeetingID), "ChatMessageId": idOrNil(e.OperationID), "SdkType": nil, "PlatformType": nil,
		"CallId": c.CallID, "ParticipantId": idOrNil(e.ParticipantID),
	}
	envelope := fields{"resultType": "Succeeded", "resultSignature": strconv.Itoa(act.status), "correlationId": idOrNil(e.OperationID)}
	return c.add(ChatOperational, act.operation, e.ParticipantID, e.ObservedAt, keyOf(e), envelope, properties)
}

func idOrNil(id uuid.UUID) any {
	if id == uuid.Nil {
		return nil
	}
	return id.String()
}

// notices are those to one participant: when each was sent, and when its client acknowledged that it shows it. The two may come as two entries.
func (c *call) notices(participant uuid.UUID, identifier string) error {
	type shown struct{ sent, acknowledged string }
	found, order := map[string]*shown{}, []string{}
	for i := range c.timeline {
		e := &c.timeline[i]
		if e.Kind != "notice" || e.ParticipantID != participant {
			continue
		}
		key := e.OperationID.String() + "/" + e.Name
		if found[key] == nil {
			found[key] = &shown{}
			order = append(order, key)
		}
		earliest(&found[key].sent, instant(e.Attributes["sent_at"]))
		earliest(&found[key].acknowledged, instant(e.Attributes["acknowledged_at"]))
	}
	for _, key := range order {
		id, kind, _ := strings.Cut(key, "/")
		properties := fields{
			"identifier": orNil(identifier), "CallId": c.CallID, "participantId": participant.String(), "noticeId": id, "kind": kind,
			"sentAt": orNil(found[key].sent), "acknowledgedAt": orNil(found[key].acknowledged),
		}
		if err := c.add(CallNotices, CallNotices, participant, c.at, key, nil, properties); err != nil {
			return err
		}
	}
	return nil
}

// earliest keeps the earlier of two stamps, which sort as text.
func earliest(known *string, one string) {
	if one != "" && (*known == "" || one < *known) {
		*known = one
	}
}
