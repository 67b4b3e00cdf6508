package ingest_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/demo"
)

// TestRewoundOffsetsDoubleNothing ingests a topic from its start again, as after a group's offsets have expired or the group was renamed.
func TestRewoundOffsetsDoubleNothing(t *testing.T) {
	r := newRig(t)
	stop := r.start(t)
	var events []*eventpb.Event
	for i := range 50 {
		events = append(events, r.report("call", "media/one/1", uint64(i+1), 2))
	}
	r.produce(t, events...)
	r.eventually(t, 100, countSamples)
	stop()
	r.cfg.Group += "-renamed"
	r.start(t)
	r.produce(t, r.report("call", "media/one/1", 51, 2)) // of the same partition, hence stored after the others were seen again
	r.eventually(t, 102, countSamples)
	r.eventually(t, 102, countKeys)
}

// TestTopicMadeAnewDoublesNothing imports a file, makes the topics anew and imports it again.
func TestTopicMadeAnewDoublesNothing(t *testing.T) {
	r := newRig(t)
	stop := r.start(t)
	importer := ingest.NewImporter(r.cfg, r.deps)
	defer func() { _ = importer.Close() }()
	load := func(already bool) {
		t.Helper()
		result, err := importer.Import(t.Context(), ingest.ImportRequest{Format: ingest.FormatRTCStats, Org: "clinic", Body: bytes.NewReader(demo.Files()[0].Data)})
		if err != nil {
			t.Fatal(err)
		}
		if result.AlreadyImported != already {
			t.Errorf("already imported: %v, want %v", result.AlreadyImported, already)
		}
	}
	load(false)
	want := r.count(t, countSamples)
	stop()
	topics := []string{event.Topic(r.cfg.Region, event.Lossy), event.Topic(r.cfg.Region, event.Durable)}
	if _, err := r.deps.Kafka.API().DeleteTopics(t.Context(), &kafkago.DeleteTopicsRequest{Topics: topics}); err != nil {
		t.Fatal(err)
	}
	if err := ingest.EnsureTopics(t.Context(), r.deps.Kafka, r.cfg); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	r.produce(t, r.report("call", "media/one/1", 1, 1)) // for the partition's group offset, whatever it was
	r.eventually(t, want+1, countSamples)
	load(true)
	r.eventually(t, want+1, countSamples)
}

// TestReplaysMayBeLargerThanTheBudget gives each of many partitions a pending range, together several times the memory budget, as one
// node finds them when it takes over from others.
func TestReplaysMayBeLargerThanTheBudget(t *testing.T) {
	r := newRig(t)
	r.cfg.MemoryBytes, r.cfg.FlushBytes = 4<<20, 2<<20
	api := r.deps.Kafka.API()
	const each, size, pendingLast = 600, 10_000, 549 // each range alone is above the budget
	commits := map[string][]kafkago.OffsetCommit{}
	for _, class := range []event.Class{event.Lossy, event.Durable} {
		topic := event.Topic(r.cfg.Region, class)
		for partition := range r.cfg.Partitions {
			at := time.Now().Truncate(time.Millisecond)
			w := &kafkago.Writer{
				Addr: kafkago.TCP(r.deps.Kafka.Brokers()...), Topic: topic, Transport: api.Transport, BatchTimeout: 5 * time.Millisecond,
				Balancer: kafkago.BalancerFunc(func(kafkago.Message, ...int) int { return partition }),
			}
			garbage := make([]byte, size) // no event: it ends as a dead letter, which is counted here
			rand.Read(garbage)
			messages := make([]kafkago.Message, each)
			for i := range messages {
				messages[i] = kafkago.Message{Value: garbage, Time: at}
			}
			if err := w.WriteMessages(t.Context(), messages...); err != nil {
				t.Fatal(err)
			}
			_ = w.Close()
			commits[topic] = append(commits[topic], kafkago.OffsetCommit{
				Partition: partition, Metadata: fmt.Sprintf("anteroom-pending/1 0 %d %d", pendingLast, at.UnixMilli()),
			})
		}
	}
	if _, err := api.OffsetCommit(t.Context(), &kafkago.OffsetCommitRequest{GroupID: r.cfg.Group, GenerationID: -1, Topics: commits}); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	r.eventually(t, uint64(2*r.cfg.Partitions*each), "SELECT count() FROM dead_letters FINAL")
}
