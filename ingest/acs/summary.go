package acs

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
)

var callTypes = words("Group", "P2P")

var resultCategories = words("Success", "ExpectedError", "UnexpectedClientError", "UnexpectedServerError")

// decodeSummary makes the start and the end of the call, and of one participant in it. Each of Azure's summary records tells both.
func decodeSummary(r *record) {
	started := r.time("callStartTime")
	r.emit(&eventpb.Event{Payload: &eventpb.Event_CallStarted{CallStarted: &eventpb.CallStarted{
		StartedAtUs: started, Kind: r.callKind(), MeetingId: r.meeting("teamsThreadId"),
	}}})
	r.participant()
	if ended := r.after(started, "callDuration"); ended != 0 {
		r.emit(&eventpb.Event{Payload: &eventpb.Event_CallEnded{CallEnded: &eventpb.CallEnded{EndedAtUs: ended}}})
	}
}

// meeting is the pseudonym of a Teams thread. It isn't scoped to a call, so that the calls and the chat of one meeting are known to
// belong together; a meeting is the organisation's, so this links no guest. "" for none.
func (r *record) meeting(field string) string {
	thread := r.id(field)
	if thread == "" {
		return ""
	}
	return hex.EncodeToString(r.opt.Pseudonyms.ID(label.Meeting, "", thread))
}

func (r *record) callKind() eventpb.CallKind {
	if r.text("teamsThreadId") != "" {
		return eventpb.CallKind_CALL_KIND_MEETING
	}
	switch callTypes.of(r.text("callType")) {
	case "Group":
		return eventpb.CallKind_CALL_KIND_GROUP
	case "P2P":
		return eventpb.CallKind_CALL_KIND_P2P
	}
	return eventpb.CallKind_CALL_KIND_UNSPECIFIED
}

// after is the time a number of seconds after started; 0 if either isn't known.
func (r *record) after(started int64, seconds string) int64 {
	length, known := r.duration(seconds, time.Second)
	if !known || started == 0 {
		return 0
	}
	if !event.ValidTime(started + length) {
		r.failField(seconds, "is too large")
		return 0
	}
	return started + length
}

func (r *record) participant() {
	joined := r.time("participantStartTime")
	left := r.after(joined, "participantDuration")
	endpoint := r.endpointType()
	id := r.participantOf(r.summaryKey(joined, endpoint))
	if id == nil {
		return
	}
	kind := eventpb.Identity_KIND_GUEST
	if endpoint == "bot" || endpoint == "server" {
		kind = eventpb.Identity_KIND_SERVICE
	}
	family, version, os := r.client()
	r.emit(&eventpb.Event{Payload: &eventpb.Event_ParticipantJoined{ParticipantJoined: &eventpb.ParticipantJoined{
		ParticipantId: id, JoinedAtUs: joined, Identity: &eventpb.Identity{Kind: kind},
		EndpointType: endpoint, ClientFamily: family, ClientVersion: version, OsFamily: os,
	}}})
	end := &eventpb.ParticipantLeft{
		ParticipantId: id, LeftAtUs: left,
		EndCode: r.endCode("participantEndReason"), EndSubCode: r.endCode("ParticipantEndSubCode"),
		ResultCategory: resultCategories.of(r.text("ResultCategory")),
	}
	if end.LeftAtUs != 0 || end.EndCode != "" || end.EndSubCode != "" || end.ResultCategory != "" {
		r.emit(&eventpb.Event{Payload: &eventpb.Event_ParticipantLeft{ParticipantLeft: end}})
	}
}

// summaryKey is the participant's key. Participants of other tenants come with all their ids redacted: what is left to tell them
// apart is when they joined, to the millisecond. A row that stands for the call or for the server as a whole has none.
func (r *record) summaryKey(joined int64, endpoint string) string {
	leg := r.id("participantId")
	if leg != "" && leg == r.call {
		return ""
	}
	if key := r.participantKey(); key != "" {
		return key
	}
	if joined == 0 || endpoint == "server" {
		return ""
	}
	return "joined " + endpoint + " " + strconv.FormatInt(joined, 10)
}

// endCode is a number as Azure writes it, "" for anything else.
func (r *record) endCode(field string) string {
	s := r.text(field)
	if n, err := strconv.ParseInt(s, 10, 32); err != nil || n < 0 {
		return ""
	}
	return s
}
