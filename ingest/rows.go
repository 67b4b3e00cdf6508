package ingest

import (
	"fmt"
	"strings"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/store"
)

// recordRows adds the rows of one record's events to a batch. It labels: what an event says of a guest's identity stops here.
type recordRows struct {
	batch  *store.Batch
	offset int64
	// Rows of this record so far, per table.
	calls, participants, streams, samples, timeline uint32
}

func (r *recordRows) origin(counter *uint32) store.Origin {
	o := store.Origin{Offset: r.offset, Index: *counter}
	*counter++
	return o
}

func (r *recordRows) add(e *eventpb.Event) {
	env := store.Envelope{
		Org: e.Org, Region: e.Region, CallID: e.CallId, SourceKind: int8(e.SourceKind), //nolint:gosec // the contract's enum is small
		Revision: e.Revision, ObservedAt: time.UnixMicro(e.ObservedAtUs).UTC(),
	}
	switch p := e.Payload.(type) {
	case *eventpb.Event_StreamReport:
		for _, s := range p.StreamReport.GetStreams() {
			r.batch.Samples.Add(r.origin(&r.samples), env, p.StreamReport, s)
		}
	case *eventpb.Event_StreamEnded:
		r.batch.Streams.Add(r.origin(&r.streams), env, p.StreamEnded)
	case *eventpb.Event_CallStarted:
		r.batch.Calls.AddStarted(r.origin(&r.calls), env, p.CallStarted)
	case *eventpb.Event_CallEnded:
		r.batch.Calls.AddEnded(r.origin(&r.calls), env, p.CallEnded)
	case *eventpb.Event_ParticipantJoined:
		r.batch.Participants.AddJoined(r.origin(&r.participants), env, who(p.ParticipantJoined.GetIdentity()), p.ParticipantJoined)
	case *eventpb.Event_ParticipantLeft:
		r.batch.Participants.AddLeft(r.origin(&r.participants), env, p.ParticipantLeft)
	default:
		if entry, ok := timelineEntry(e); ok {
			r.batch.Timeline.Add(r.origin(&r.timeline), env, entry)
		}
	}
}

func who(id *eventpb.Identity) store.Who {
	known := label.Resolve(id)
	switch {
	case known.OrgUser:
		return store.Who{Identity: store.OrgUser, UserID: known.UserID, DisplayName: known.DisplayName, Network: known.Network}
	case known.Service:
		return store.Who{Identity: store.Service}
	}
	return store.Who{Identity: store.Guest}
}

// timelineEntry makes the entry of an event that is something that happened.
func timelineEntry(e *eventpb.Event) (store.Entry, bool) {
	switch p := e.Payload.(type) {
	case *eventpb.Event_ClientDiagnostic:
		d := p.ClientDiagnostic
		return store.Entry{
			Participant: d.GetParticipantId(), Lane: store.Lane(d.GetLane()), Kind: store.DiagnosticEntry, //nolint:gosec // small enum
			Name: d.GetName(), Value: d.GetValue(), Operation: d.GetOperationId(),
		}, true
	case *eventpb.Event_ClientOperation:
		o := p.ClientOperation
		return store.Entry{
			Participant: o.GetParticipantId(), Lane: store.Lane(o.GetLane()), Kind: store.OperationEntry, //nolint:gosec // small enum
			Name: o.GetName(), Operation: o.GetOperationId(), Result: o.GetResult(), ResultCode: o.GetResultCode(),
			DurationMs: o.GetDurationMs(), Attributes: o.GetAttributes(),
		}, true
	case *eventpb.Event_Survey:
		return surveyEntry(p.Survey), true
	case *eventpb.Event_Recording:
		rec := p.Recording
		return store.Entry{
			Lane: store.Lane(eventpb.Lane_LANE_CALL), Kind: store.RecordingEntry, Name: "Recording", Value: rec.GetEndReason(),
			Operation: rec.GetRecordingId(), DurationMs: rec.GetDurationMs(),
			Attributes: attributes("content_type", rec.GetContentType(), "channel_type", rec.GetChannelType(), "format", rec.GetFormat(),
				"chunks", number(rec.GetChunks()), "audio_channels", number(rec.GetAudioChannels()), "started_at", instant(rec.GetStartedAtUs())),
		}, true
	case *eventpb.Event_Chat:
		c := p.Chat
		name := c.GetOperation()
		if name == "" {
			name = strings.TrimPrefix(c.GetAct().String(), "ACT_")
		}
		return store.Entry{
			Participant: c.GetParticipantId(), Lane: store.Lane(eventpb.Lane_LANE_CALL), Kind: store.ChatEntry, Name: name,
			Value: strings.ToLower(strings.TrimPrefix(c.GetAct().String(), "ACT_")), Operation: c.GetMessageId(), ResultCode: c.GetResultCode(),
		}, true
	case *eventpb.Event_Notice:
		n := p.Notice
		return store.Entry{
			Participant: n.GetParticipantId(), Lane: store.Lane(eventpb.Lane_LANE_CALL), Kind: store.NoticeEntry, Name: n.GetKind(),
			Operation: n.GetNoticeId(), Attributes: attributes("sent_at", instant(n.GetSentAtUs()), "acknowledged_at", instant(n.GetAcknowledgedAtUs())),
		}, true
	case *eventpb.Event_Decision:
		d := p.Decision
		return store.Entry{
			Participant: d.GetParticipantId(), Lane: store.Lane(eventpb.Lane_LANE_CALL), Kind: store.DecisionEntry, Name: d.GetAction(), Value: d.GetEffect(),
			Operation: d.GetDecisionId(), Attributes: attributes("reasons", strings.Join(d.GetReasons(), ","), "policy_revision", d.GetPolicyRevision()),
		}, true
	}
	return store.Entry{}, false
}

// surveyEntry keeps one attribute per part of a rating: "overall.score" and so on.
func surveyEntry(s *eventpb.Survey) store.Entry {
	entry := store.Entry{
		Participant: s.GetParticipantId(), Lane: store.Lane(eventpb.Lane_LANE_CALL), Kind: store.SurveyEntry, Name: "CallSurvey",
		Operation: s.GetSurveyId(), Attributes: map[string]string{},
	}
	for _, r := range s.GetRatings() {
		at := func(key, value string) {
			if value != "" {
				entry.Attributes[r.GetSubject()+"."+key] = value
			}
		}
		at("score", number(r.GetScore()))
		at("lower_bound", number(r.GetLowerBound()))
		at("upper_bound", number(r.GetUpperBound()))
		at("threshold", number(r.GetThreshold()))
		at("issues", strings.Join(r.GetIssues(), ","))
	}
	return entry
}

// attributes makes a map of keys and values in turn, without the empty ones.
func attributes(pairs ...string) map[string]string {
	m := make(map[string]string, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			m[pairs[i]] = pairs[i+1]
		}
	}
	return m
}

// number is empty for zero, which the contract means as not known.
func number[N int32 | uint32](n N) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func instant(us int64) string {
	if us == 0 {
		return ""
	}
	return time.UnixMicro(us).UTC().Format(time.RFC3339Nano)
}
