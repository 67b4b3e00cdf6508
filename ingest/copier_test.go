package ingest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/kafka"
)

// crowd is chat of many calls that a few media nodes relay, as it comes: each message is shown to a guest of its own, so that each has its copy.
func (h *house) crowd(t *testing.T, calls, each, nodes int) []*eventpb.Event {
	t.Helper()
	var events []*eventpb.Event
	meetings := make([]*meeting, calls)
	for i := range meetings {
		meetings[i] = h.meeting()
	}
	for n := range calls * each {
		m := meetings[n%calls]
		_, e := m.sent(t, fmt.Sprintf("message %d", n), h.guest(h.far))
		e.Source, e.Sequence = fmt.Sprintf("media/node-%d/1", n%nodes), uint64(n/nodes+1)
		events = append(events, e)
	}
	return events
}

const (
	countCopies   = "SELECT count() FROM retained WHERE class = 'copy'"
	countHolders  = "SELECT uniqExact(holder_id) FROM retained WHERE class = 'copy'"
	countTexts    = "SELECT count() FROM texts WHERE class = 'copy'"
	countMessages = "SELECT uniqExact(message_id) FROM texts WHERE class = 'copy'"
)

func (p *place) expectCopies(t *testing.T, want int) {
	t.Helper()
	for _, query := range []string{countCopies, countHolders, countTexts, countMessages} {
		if got := p.count(t, query); got != uint64(want) {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
}

// TestCopiesOfManyPartitionsMeetInFew: acts of one media node are in several partitions at home and meet in fewer there, in an order of their own; none
// is taken for a doubled one. And so the other way round.
func TestCopiesOfManyPartitionsMeetInFew(t *testing.T) {
	for home, far := range map[int]int{8: 1, 5: 2, 1: 6} {
		t.Run(fmt.Sprintf("%d to %d", home, far), func(t *testing.T) {
			h := newHouse(t)
			h.home.cfg.Region = "n" + h.home.cfg.Region // whose topics aren't there yet
			h.home.cfg.Partitions, h.far.cfg.Partitions = home, far
			h = newHouseOf(t, h.home.rig, h.far.rig)
			h.far.ensureTopics(t)
			h.home.start(t)
			h.far.start(t)
			events := h.crowd(t, 40, 10, 3)
			for i := 0; i < len(events); i += 50 { // the copiers of the partitions take turns
				h.home.produce(t, events[i:i+50]...)
			}
			h.far.caughtUp(t)
			h.far.expectCopies(t, len(events))
			if n := h.far.count(t, "SELECT uniqExact(_partition) FROM retained"); n != uint64(far) {
				t.Errorf("copies came by %d partitions, want %d", n, far)
			}
		})
	}
}

// TestCopiesThatWereWrittenButNotCommittedArriveOnce has the copier find its offsets as they were before it wrote, as one that was killed in between does.
func TestCopiesThatWereWrittenButNotCommittedArriveOnce(t *testing.T) {
	h := newHouse(t)
	h.far.start(t)
	stop := h.home.start(t)
	events := h.crowd(t, 12, 10, 2)
	h.home.produce(t, events...)
	h.far.caughtUp(t)
	stop()
	group, topic := h.home.cfg.Group+"-copier-"+h.far.name, event.Topic(h.home.name, event.Content)
	var commits []kafkago.OffsetCommit
	for partition := range h.home.cfg.Partitions {
		commits = append(commits, kafkago.OffsetCommit{Partition: partition, Offset: int64(partition)})
	}
	_, err := h.home.deps.Kafka.API().OffsetCommit(t.Context(), &kafkago.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafkago.OffsetCommit{topic: commits}})
	if err != nil {
		t.Fatal(err)
	}
	h.home.start(t)
	_, last := h.meeting().sent(t, "last", h.guest(h.far))
	h.home.produce(t, last)
	h.far.caughtUp(t)
	h.far.expectCopies(t, len(events)+1)
	if written := len(h.far.values(t, event.CopiesTopic(h.far.name))); written < 2*len(events)-50 {
		t.Errorf("only %d copies were written: they were not written again", written)
	}
}

// TestARegionThatIsAwayHoldsUpItsOwnCopiesOnly: not the thread, nor another region's copies; it gets them when it is back.
func TestARegionThatIsAwayHoldsUpItsOwnCopiesOnly(t *testing.T) {
	h := newHouse(t)
	nowhere := kafka.DefaultConfig()
	nowhere.Brokers = []string{"127.0.0.1:1"}
	away, err := kafka.New(nowhere)
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	h.home.deps.Regions["away"] = away
	h.far.start(t)
	service, stop := h.home.service(t)
	m := h.meeting()
	g := h.guest(h.far)
	_, e := m.sent(t, "for here and there", g)
	e.GetChat().Copies = append(e.GetChat().Copies, &eventpb.ChatCopy{Region: "away", Holders: e.GetChat().Copies[0].Holders})
	h.home.produce(t, e)
	h.home.caughtUp(t)
	h.far.caughtUp(t)
	if got := m.thread(t); len(got) != 1 {
		t.Errorf("the thread says %q", got)
	}
	if got := m.copied(t, g); got != "for here and there" {
		t.Errorf("the copy of a region that is there says %q", got)
	}
	for said := false; !said; time.Sleep(20 * time.Millisecond) {
		for _, c := range service.Checks() {
			switch {
			case !c.OK && c.Name != "copies to away":
				t.Errorf("%s is held up: %s", c.Name, c.Reason)
			case c.Name == "copies to away":
				said = !c.OK && c.Side && strings.Contains(c.Reason, "create topic")
			}
		}
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the stop took %v", took)
	}
	h.home.deps.Regions["away"] = h.far.deps.Kafka // it is back
	if err := ingest.EnsureCopiesTopics(t.Context(), h.far.deps.Kafka, h.far.cfg, "away"); err != nil {
		t.Fatal(err)
	}
	h.home.start(t)
	for len(h.far.values(t, event.CopiesTopic("away"))) < 1 {
		time.Sleep(20 * time.Millisecond)
	}
}
