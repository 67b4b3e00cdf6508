package api

import (
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

func presentReasons(reasons []quality.Reason) []openapi.Reason {
	out := make([]openapi.Reason, len(reasons))
	for i, r := range reasons {
		out[i] = openapi.Reason{
			Kind: openapi.ReasonKindThreshold, Metric: string(r.Metric), Value: finite(&r.Value), Comparison: textOrNil(string(r.Comparison)),
			Threshold: finite(&r.Threshold), Unit: textOrNil(r.Unit), Source: r.Source, Media: textOrNil(string(r.Media)),
			Direction: textOrNil(string(r.Direction)), Text: r.String(),
		}
	}
	return out
}

func presentDiagnostics(reasons []quality.DiagnosticReason) []openapi.Reason {
	out := make([]openapi.Reason, len(reasons))
	for i, r := range reasons {
		out[i] = openapi.Reason{Kind: openapi.ReasonKindDiagnostic, Metric: r.Name, Source: r.Source, Text: r.String()}
	}
	return out
}

// webrtcInternals is how the files are called everywhere but in the tables.
const webrtcInternals = "webrtc-internals"

// sourceName is the name of a kind of source in answers.
func sourceName(k store.SourceKind) string {
	if name := k.String(); name != "webrtc_internals" {
		return name
	}
	return webrtcInternals
}

// parseSource reads what sourceName writes.
func parseSource(name string) store.SourceKind {
	if name == webrtcInternals {
		name = "webrtc_internals"
	}
	return store.ParseSourceKind(name)
}

func presentParticipant(callID string, p *store.ParticipantFacts) openapi.Participant {
	kind := openapi.ParticipantKindUnknown
	switch p.Identity {
	case store.OrgUser:
		kind = openapi.ParticipantKindOrgUser
	case store.Guest:
		kind = openapi.ParticipantKindGuest
	case store.Service:
		kind = openapi.ParticipantKindService
	}
	return openapi.Participant{
		ParticipantId: p.ID, CallId: callID, Label: analytics.LabelOf(p), Kind: kind, EndpointType: textOrNil(p.EndpointType),
		Client: textOrNil(p.ClientFamily), ClientVersion: textOrNil(p.ClientVersion), Os: textOrNil(p.OSFamily),
		JoinedAt: p.JoinedAt, LeftAt: p.LeftAt, DurationMs: between(p.JoinedAt, p.LeftAt),
		EndCode: textOrNil(p.EndCode), EndSubCode: textOrNil(p.EndSubCode), ResultCategory: textOrNil(p.ResultCategory),
	}
}

func presentStream(j *analytics.Call, s *analytics.Stream) openapi.Stream {
	out := openapi.Stream{
		StreamId: s.ID, CallId: j.CallID, ParticipantId: s.ParticipantID, ParticipantLabel: value(j.LabelFor(s.ParticipantID)),
		Direction: openapi.StreamDirection(s.Direction), Media: openapi.StreamMedia(s.Media), Codec: textOrNil(s.Codec),
		StartedAt: s.StartedAt, EndedAt: s.EndedAt, Packets: whole(s.Packets), PacketsLost: s.PacketsLost, Bytes: whole(s.Bytes),
		LossRatio: finite(s.LossRatio), LossRatioMax: finite(s.LossRatioMax), JitterMsAvg: finite(s.JitterMsAvg), JitterMsMax: finite(s.JitterMsMax),
		RttMsAvg: finite(s.RTTMsAvg), RttMsMax: finite(s.RTTMsMax), JitterBufferMsAvg: finite(s.JitterBufferMsAvg),
		JitterBufferMsMax: finite(s.JitterBufferMsMax), HealedRatio: finite(s.HealedRatio), HealedRatioMax: finite(s.HealedRatioMax),
		FrameRateAvg: finite(s.FrameRateAvg), HeightAvg: finite(s.HeightAvg), FreezeMsPerMin: finite(s.FreezeMsPerMin),
		BitrateAvg: finite(s.BitrateAvg), BitrateMax: finite(s.BitrateMax), LocalCandidateType: textOrNil(s.LocalCandidateType),
		RemoteCandidateType: textOrNil(s.RemoteCandidateType), Transport: textOrNil(s.Transport), ObservedBy: textOrNil(s.ObservedBy),
		PacketsRepaired: s.PacketsRepaired, LikelySide: textOrNil(s.LikelySide),
		Partial: s.Partial, Counted: s.Counted, Profile: s.Profile, Verdict: openapi.Verdict(s.Verdict),
		UnknownCause: textOrNil(s.Cause.Text()), Reasons: presentReasons(s.Reasons),
	}
	if s.SSRC != 0 {
		ssrc := int64(s.SSRC)
		out.Ssrc = &ssrc
	}
	if s.MOS != nil {
		out.MosEstimate = &s.MOS.MOS
		out.MosBasis = &openapi.MosBasis{
			Formula: s.MOS.Formula, FormulaText: quality.MOSFormulaText, R: s.MOS.R, Assumptions: s.MOS.Assumptions.Texts(),
		}
	}
	return out
}

func presentSample(p *store.SamplePoint) openapi.Sample {
	return openapi.Sample{
		ObservedAt: p.ObservedAt, IntervalMs: int64(p.IntervalMs), Direction: openapi.SampleDirection(p.Direction),
		Packets: clip(p.Packets), PacketsLost: p.PacketsLost, Bytes: clip(p.Bytes), PacketsDiscarded: clip(p.PacketsDiscarded),
		RetransmittedPackets: clip(p.RetransmittedPackets), Frames: clip(p.Frames), FramesDropped: clip(p.FramesDropped),
		Freezes: clip(p.Freezes), Nacks: int64(p.NACKs), Plis: int64(p.PLIs), Firs: int64(p.FIRs),
		JitterMs: finite(p.JitterMs), RttMs: finite(p.RTTMs), JitterBufferMs: finite(p.JitterBufferMs), HealedRatio: finite(p.HealedRatio),
		FrameRate: finite(p.FrameRate), FrameHeight: finite(p.FrameHeight), FreezeMs: finite(p.FreezeMs), BitrateBps: finite(p.BitrateBps),
		AvailableBitrateBps: finite(p.AvailableBitrateBps), LossRatio: finite(p.LossRatio),
	}
}

func presentEntry(j *analytics.Call, e *store.TimelineEntry, less bool) openapi.TimelineEntry {
	out := openapi.TimelineEntry{
		ObservedAt: e.ObservedAt, ParticipantId: idOrNil(e.ParticipantID), ParticipantLabel: j.LabelFor(e.ParticipantID),
		Lane: openapi.TimelineEntryLane(e.Lane), Kind: openapi.TimelineEntryKind(e.Kind), Name: e.Name, Value: textOrNil(e.Value),
		OperationId: idOrNil(e.OperationID), Result: textOrNil(e.Result), Attributes: map[string]string{},
	}
	if e.ResultCode != 0 {
		code := int(e.ResultCode)
		out.ResultCode = &code
	}
	if e.DurationMs != 0 {
		out.DurationMs = &e.DurationMs
	}
	for k, v := range e.Attributes {
		// Neither is stored today; that support does not see them does not rest on that alone.
		if less && (strings.Contains(k, "address") || strings.Contains(k, "device")) {
			continue
		}
		out.Attributes[k] = v
	}
	return out
}

// between is the time from one instant to the next, ms; nil unless both are known and in order.
func between(from, to *time.Time) *int64 {
	if from == nil || to == nil || to.Before(*from) {
		return nil
	}
	ms := to.Sub(*from).Milliseconds()
	return &ms
}

func idOrNil(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// finite drops what JSON can't write.
func finite[F float32 | float64](f *F) *F {
	if f == nil || math.IsNaN(float64(*f)) || math.IsInf(float64(*f), 0) {
		return nil
	}
	return f
}

// clip brings a counter into what clients can read.
func clip(n uint64) int64 { return int64(min(n, math.MaxInt64)) } //nolint:gosec // clipped

func whole(n *uint64) *int64 {
	if n == nil {
		return nil
	}
	out := clip(*n)
	return &out
}
