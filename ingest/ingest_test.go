package ingest_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

const (
	countSamples = "SELECT count() FROM samples"
	countKeys    = "SELECT uniqExact(_topic, _partition, _offset, _index) FROM samples"
)

func TestReportsBecomeSamples(t *testing.T) {
	r := newRig(t)
	r.start(t)
	var events []*eventpb.Event
	const reports, streams = 300, 4
	for i := range reports {
		call := fmt.Sprintf("call-%d", i%7)
		events = append(events, r.report(call, "media/one/"+call, uint64(i/7+1), streams))
	}
	r.produce(t, events...)
	r.eventually(t, reports*streams, countSamples)
	if got := r.count(t, countKeys); got != reports*streams {
		t.Errorf("%d distinct row keys, want %d", got, reports*streams)
	}
	r.eventually(t, reports*streams, "SELECT sum(samples) FROM ingest_batches FINAL") // written after the rows
}

func TestRecordWrittenTwiceCountsOnce(t *testing.T) {
	r := newRig(t)
	stop := r.start(t)
	first, second := r.report("call", "media/one/1", 1, 3), r.report("call", "media/one/1", 2, 3)
	r.produce(t, first, first, second, first) // within a batch
	r.eventually(t, 6, countSamples)
	r.produce(t, second) // in a later batch, the mark still known
	stop()
	r.start(t)
	r.produce(t, first, second, r.report("call", "media/one/1", 3, 3)) // by another service, the mark read from the store
	r.eventually(t, 9, countSamples)
}

func TestRestartGoesOnWhereItStopped(t *testing.T) {
	r := newRig(t)
	sequence := uint64(0)
	for round := range 3 {
		stop := r.start(t)
		var events []*eventpb.Event
		for range 50 {
			sequence++
			events = append(events, r.report("call", "media/one/1", sequence, 2))
		}
		r.produce(t, events...)
		if round == 1 {
			r.eventually(t, sequence*2, countSamples)
		}
		stop()
	}
	r.start(t)
	r.eventually(t, sequence*2, countSamples)
	if got := r.count(t, countKeys); got != sequence*2 {
		t.Errorf("%d distinct row keys, want %d", got, sequence*2)
	}
}

func TestBadRecordsBecomeDeadLettersAndTheRestFlows(t *testing.T) {
	r := newRig(t)
	r.start(t)
	good := r.report("call", "media/one/1", 1, 1)
	producer := r.deps.Kafka.NewProducer()
	topic := event.Topic(r.cfg.Region, event.Lossy)
	record, err := event.Encode(good)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := r.report("call", "media/one/1", 2, 1)
	elsewhere.Region = "elsewhere"
	foreign, err := event.Encode(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	foreign.Topic = topic
	if _, err := producer.Write(t.Context(),
		event.Record{Topic: topic, Key: []byte("k"), Value: []byte("not an event, Dana Canary")},
		record,
		foreign,
		event.Record{Topic: topic, Key: []byte("k")},
	); err != nil {
		t.Fatal(err)
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
	r.eventually(t, 1, countSamples)
	r.eventually(t, 3, "SELECT count() FROM dead_letters FINAL")
	if got := r.count(t, "SELECT count() FROM dead_letters WHERE reason = '' OR positionCaseInsensitive(reason, 'canary') > 0"); got != 0 {
		t.Errorf("%d dead letters without a reason or with what the record said", got)
	}
}

func TestGuestsLeaveNothingOfTheirIdentity(t *testing.T) {
	r := newRig(t)
	r.start(t)
	joined := func(sequence uint64, kind eventpb.Identity_Kind) *eventpb.Event {
		participant := uuid.New()
		return &eventpb.Event{
			Id: event.NewID(), Org: "clinic", Region: r.cfg.Region, CallId: "call", Source: "media/one/1", Sequence: sequence,
			ObservedAtUs: baseTime.UnixMicro(), SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA,
			Payload: &eventpb.Event_ParticipantJoined{ParticipantJoined: &eventpb.ParticipantJoined{
				ParticipantId: participant[:], JoinedAtUs: baseTime.UnixMicro(),
				Identity: &eventpb.Identity{Kind: kind, UserId: "dana-7", DisplayName: "Dana Canary"},
			}},
		}
	}
	r.produce(t,
		joined(1, eventpb.Identity_KIND_GUEST), joined(2, eventpb.Identity_KIND_UNSPECIFIED), joined(3, eventpb.Identity_KIND_SERVICE),
		joined(4, eventpb.Identity_KIND_ORG_USER))
	r.eventually(t, 4, "SELECT count() FROM participants")
	if got := r.count(t, "SELECT count() FROM participants WHERE display_name = 'Dana Canary' AND user_id = 'dana-7' AND identity = 'org_user'"); got != 1 {
		t.Errorf("%d org users are named, want 1", got)
	}
	if got := r.count(t, "SELECT count() FROM participants WHERE identity != 'org_user' AND (display_name != '' OR user_id != '')"); got != 0 {
		t.Errorf("%d participants who are not org users are named", got)
	}
}
