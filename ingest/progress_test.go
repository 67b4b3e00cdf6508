package ingest_test

import (
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/kafka"
)

// TestProgressIsWhatGroupsHaveCommitted walks what was produced through the topics to a further region, commit by commit.
func TestProgressIsWhatGroupsHaveCommitted(t *testing.T) {
	r := newRig(t)
	r.cfg.Partitions = 2
	r.cfg.Region = "p" + r.cfg.Region
	far := r.cfg.Region + "-far"
	chat, copies := event.Topic(r.cfg.Region, event.Content), event.CopiesTopic(far)
	fresh := func() {
		t.Helper()
		if err := ingest.EnsureTopics(t.Context(), r.deps.Kafka, r.cfg); err != nil {
			t.Fatal(err)
		}
		if err := ingest.EnsureCopiesTopics(t.Context(), r.deps.Kafka, r.cfg, far); err != nil {
			t.Fatal(err)
		}
	}
	fresh()
	home := ingest.NewProgress(r.cfg, r.deps.Kafka)
	further := ingest.NewFurtherProgress(r.cfg, far, r.deps.Kafka, r.deps.Kafka)
	asked := time.Now()
	expect := func(p *ingest.Progress, before time.Time, want bool, when string) {
		t.Helper()
		if got, err := p.Ingested(t.Context(), before); err != nil || got != want {
			t.Errorf("%s: ingested %v (%v), want %v", when, got, err, want)
		}
	}
	produce := func(topic string, n int) {
		t.Helper()
		producer := r.deps.Kafka.NewProducer()
		defer func() { _ = producer.Close() }()
		for i := range n {
			if _, err := producer.Write(t.Context(), event.Record{Topic: topic, Key: []byte{byte(i)}, Value: []byte("v")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	// commit has a group read all but some records of each partition.
	commit := func(group, topic string, behind int64) {
		t.Helper()
		ends, err := r.deps.Kafka.TopicOffsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		var commits []kafkago.OffsetCommit
		for id, at := range ends {
			commits = append(commits, kafkago.OffsetCommit{Partition: id, Offset: max(0, at.End-behind)})
		}
		_, err = r.deps.Kafka.API().OffsetCommit(t.Context(), &kafkago.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafkago.OffsetCommit{topic: commits}})
		if err != nil {
			t.Fatal(err)
		}
	}
	expect(home, asked, true, "nothing was produced")
	expect(further, asked, true, "nothing was produced for the further region")
	expect(home, time.Now().Add(time.Hour), false, "a moment to come")

	produce(chat, 40)
	asked = time.Now()
	expect(home, asked, false, "nothing is read")
	commit(r.cfg.Group, chat, 1)
	expect(home, asked, false, "the last of each partition is not read")
	produce(chat, 20) // later than what was asked for
	commit(r.cfg.Group, chat, 0)
	expect(home, asked, true, "all is read")

	expect(further, asked, false, "the copier has not begun")
	produce(copies, 10)
	commit(r.cfg.Group+"-copies-"+far, copies, 0)
	expect(further, asked, false, "all copies are read, but not all are written")
	commit(r.cfg.Group+"-copier-"+far, chat, 0)
	produce(copies, 10) // the copier wrote them before it committed
	expect(further, asked, false, "the last copies are not read")
	produce(copies, 10)
	expect(further, asked, false, "the last copies are still not read")
	commit(r.cfg.Group+"-copies-"+far, copies, 2)
	expect(further, asked, true, "what was written until then is read, but not what came later")

	// A topic that was made anew has been read by nobody, whatever is committed.
	if _, err := r.deps.Kafka.API().DeleteTopics(t.Context(), &kafkago.DeleteTopicsRequest{Topics: []string{chat}}); err != nil {
		t.Fatal(err)
	}
	fresh()
	produce(chat, 4)
	commits := []kafkago.OffsetCommit{{Partition: 0, Offset: 1000}, {Partition: 1, Offset: 1000}}
	_, err := r.deps.Kafka.API().OffsetCommit(t.Context(), &kafkago.OffsetCommitRequest{GroupID: r.cfg.Group, GenerationID: -1, Topics: map[string][]kafkago.OffsetCommit{chat: commits}})
	if err != nil {
		t.Fatal(err)
	}
	expect(home, time.Now(), false, "the topic was made anew")
	commit(r.cfg.Group, chat, 0)
	expect(home, time.Now(), true, "the new topic is read")

	nowhere := kafka.DefaultConfig()
	nowhere.Brokers = []string{"127.0.0.1:1"}
	client, err := kafka.New(nowhere)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got, err := ingest.NewProgress(r.cfg, client).Ingested(t.Context(), time.Now()); got || err == nil {
		t.Errorf("without a broker: ingested %v, %v", got, err)
	}
}
