package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

const (
	// endedSilent is the reason of the end of a call of which nothing more came.
	endedSilent = "silent"
	// silentCalls is how many calls one look ends.
	silentCalls = 1000
)

// silence ends calls of other systems' clients that nobody else will end: the process that had a client's session was lost. They end when anything of them
// was last seen. Each process with the role api looks; all say the same of a call, under the same numbers, so that it counts once.
type silence struct {
	reader   *store.Reader
	producer *kafka.Producer
	region   string
	after    time.Duration
	log      *slog.Logger
}

// endSilent goes on until the service ends.
func (s *service) endSilent(producer *kafka.Producer) {
	after := s.cfg.Collect.SilentAfter
	e := &silence{reader: store.NewReader(s.store, store.QueryLimits{}), producer: producer, region: s.cfg.Ingest.Region, after: after, log: s.log.With("room", "collect")}
	s.app.Go("end of silent calls", e.Run)
}

// Run looks again and again, some times within the time that calls must have been silent.
func (e *silence) Run(ctx context.Context) error {
	every := min(max(e.after/10, time.Second), time.Minute)
	for pause(ctx, every) {
		if err := e.pass(ctx); err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "calls that are silent could not be ended yet", slog.Any("error", err))
		}
	}
	return nil
}

func (e *silence) pass(ctx context.Context) error {
	calls, err := e.reader.SilentCalls(ctx, e.region, e.after, silentCalls)
	if err != nil || len(calls) == 0 {
		return err //nolint:wrapcheck // the store says what it did
	}
	var records []event.Record
	for i := range calls {
		for _, end := range endOf(&calls[i], e.region) {
			record, err := event.Encode(end)
			if err != nil {
				return fmt.Errorf("end silent call: %w", err)
			}
			records = append(records, record)
		}
	}
	if _, err := e.producer.Write(ctx, records...); err != nil {
		return fmt.Errorf("end silent calls: %w", err)
	}
	e.log.InfoContext(ctx, "calls of which nothing more came were ended", slog.Int("calls", len(calls)))
	return nil
}

// endOf are the events of a call's end. How those who were in it left is not known.
func endOf(c *store.OpenCall, region string) []*eventpb.Event {
	at, source := c.LastSeen.UnixMicro(), "silent/"+c.CallID
	out := make([]*eventpb.Event, 0, len(c.Present)+1)
	for _, id := range c.Present {
		out = append(out, &eventpb.Event{Payload: &eventpb.Event_ParticipantLeft{ParticipantLeft: &eventpb.ParticipantLeft{ParticipantId: id[:], LeftAtUs: at}}})
	}
	out = append(out, &eventpb.Event{Payload: &eventpb.Event_CallEnded{CallEnded: &eventpb.CallEnded{EndedAtUs: at, Reason: endedSilent}}})
	for i, e := range out {
		e.Org, e.Region, e.CallId, e.ObservedAtUs, e.SourceKind = c.Org, region, c.CallID, at, eventpb.SourceKind_SOURCE_KIND_RTCSTATS
		e.Source, e.Sequence = source, uint64(i)+1
		e.Id = decode.EventID(source, e.Sequence)
	}
	return out
}
