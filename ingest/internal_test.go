package ingest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/semaphore"
	"pgregory.net/rapid"

	"github.com/anteroom/anteroom/event/eventpb"
)

func TestPendingSurvivesItsMetadata(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Int64Range(0, 1<<62).Draw(t, "first")
		want := pending{first: first, last: rapid.Int64Range(first, 1<<62).Draw(t, "last"), firstTime: rapid.Int64().Draw(t, "time")}
		metadata := want.String()
		if len(metadata) > 4096 {
			t.Fatalf("metadata has %d bytes; a broker takes 4096", len(metadata))
		}
		if got, ok := parsePending(metadata); !ok || got != want {
			t.Fatalf("%q read as %+v, %v", metadata, got, ok)
		}
	})
}

func TestForeignMetadataIsNothingPending(t *testing.T) {
	for _, metadata := range []string{
		"", "somebody else's", "anteroom-pending/1", "anteroom-pending/1 1 2", "anteroom-pending/1 1 2 3 4", "anteroom-pending/2 1 2 3",
		"anteroom-pending/1 5 4 3", "anteroom-pending/1 -1 4 3", "anteroom-pending/1 a b c", strings.Repeat("9", 5000),
	} {
		if p, ok := parsePending(metadata); ok {
			t.Errorf("%.40q is read as %+v", metadata, p)
		}
	}
}

func TestMadeAnewTellsAnotherTopic(t *testing.T) {
	p := pending{first: 10, last: 20, firstTime: 1000}
	at := func(offset, ms int64) kafkago.Message {
		return kafkago.Message{Offset: offset, Time: time.UnixMilli(ms)}
	}
	for name, tc := range map[string]struct {
		first kafkago.Message
		want  bool
	}{
		"the same record":               {at(10, 1000), false},
		"another record there":          {at(10, 1001), true},
		"the topic begins before":       {at(0, 5000), true},
		"the first is gone from broker": {at(12, 1500), false},
	} {
		if got := p.madeAnew(tc.first); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestContentIsTakenFromOneRecordOnly(t *testing.T) {
	c := newContentMarks()
	if !c.take(content{"acs/sha256:x", 2}, origin{"a", 2, 7}) {
		t.Error("another event of the same content must be taken from another record")
	}
	first, copied := origin{"a", 0, 5}, origin{"a", 1, 9}
	for i, step := range []struct {
		from origin
		want bool
	}{{first, true}, {copied, false}, {first, true}, {copied, false}} {
		if got := c.take(content{"acs/sha256:x", 1}, step.from); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
}

// TestFetchingWaitsForTheBudget shows that what is held never passes the budget and that all of it comes back.
func TestFetchingWaitsForTheBudget(t *testing.T) {
	budget := semaphore.NewWeighted(100)
	one, other := &share{budget: budget}, &share{budget: budget}
	if err := one.acquire(t.Context(), 80); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := other.acquire(ctx, 30); err == nil {
		t.Error("110 of 100 were given out")
	}
	one.release(30)
	if err := other.acquire(t.Context(), 30); err != nil {
		t.Error(err)
	}
	one.releaseAll()
	other.releaseAll()
	other.releaseAll()
	if !budget.TryAcquire(100) {
		t.Error("not all of the budget came back")
	}
}

func TestValidateNamesTheField(t *testing.T) {
	valid := SourceConfig{Name: "a", Kind: "acs", Org: "clinic", Topics: []string{"t"}}
	for field, spoil := range map[string]func(*Config){
		"region":            func(c *Config) { c.Region = "E U" },
		"group":             func(c *Config) { c.Group = "" },
		"flush_rows":        func(c *Config) { c.FlushRows = 0 },
		"flush_bytes":       func(c *Config) { c.FlushBytes = c.MemoryBytes + 1 },
		"flush_interval":    func(c *Config) { c.FlushInterval = -1 },
		"memory_bytes":      func(c *Config) { c.MemoryBytes = 1 << 20 },
		"partitions":        func(c *Config) { c.Partitions = 0 },
		"sources[0].kind":   func(c *Config) { c.Sources = []SourceConfig{{Name: "a", Kind: "x"}} },
		"sources[0].org":    func(c *Config) { c.Sources = []SourceConfig{{Name: "a", Kind: "acs", Org: "A"}} },
		"sources[0].topics": func(c *Config) { c.Sources = []SourceConfig{{Name: "a", Kind: "acs", Org: "a"}} },
		"sources[1].name":   func(c *Config) { c.Sources = []SourceConfig{valid, valid} },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
	c := DefaultConfig()
	c.Sources = []SourceConfig{valid}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestHealthKeepsEachOperationsReason(t *testing.T) {
	h := newHealth()
	want := func(kafka, clickHouse string) {
		t.Helper()
		for i, reason := range []string{kafka, clickHouse} {
			if c := h.checks()[i]; c.OK != (reason == "") || c.Reason != reason {
				t.Errorf("%s: ok %v, reason %q, want %q", c.Name, c.OK, c.Reason, reason)
			}
		}
	}
	want("", "")
	h.set(checkKafka, "topic/0", "commit offset", errors.New("refused"))
	h.set(checkKafka, "topic/0", "fetch", nil) // what works does not hide what does not
	want("topic/0, commit offset: refused", "")
	h.set(checkKafka, "topic/1", "commit offset", errors.New("refused")) // the same is said once
	h.set(checkClickHouse, "topic/1", "insert", errors.New("away"))
	want("topic/0, commit offset: refused", "topic/1, insert: away")
	h.forget("topic/0") // somebody else's by now
	want("topic/1, commit offset: refused", "topic/1, insert: away")
	h.forget("topic/1")
	want("", "")
}

func TestRecordThatADecoderDoesNotSurviveIsRefused(t *testing.T) {
	a := &assembler{worker: &worker{
		log:  slog.New(slog.DiscardHandler),
		feed: &feed{decode: func([]byte) ([]*eventpb.Event, []refusal) { panic("Dana Canary") }},
	}}
	d := a.decode(kafkago.Message{Offset: 7, Value: []byte("x")})
	if d.offset != 7 || len(d.events) != 0 || len(d.refusals) != 1 || strings.Contains(d.refusals[0].reason, "Canary") {
		t.Errorf("decoded to %+v", d)
	}
}
