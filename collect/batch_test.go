package collect_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/anteroom/anteroom/collect"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/ingest/getstats"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// batch is so many seconds of statistics of one audio stream.
func batch(from time.Time, sequence uint64, first, seconds int) collect.Batch {
	b := collect.Batch{Token: "good-1", Session: "session-1", Sequence: sequence}
	for i := first; i < first+seconds; i++ {
		stats := fmt.Sprintf(`[{"id":"IT01","type":"inbound-rtp","kind":"audio","ssrc":7,"packetsReceived":%d,"packetsLost":%d,"bytesReceived":%d,"jitter":0.016}]`, 50*i, i, 5000*i)
		b.Entries = append(b.Entries, getstats.Entry{At: from.Add(time.Duration(i)*time.Second + 100*time.Millisecond), PeerConnection: "pc", Stats: json.RawMessage(stats)})
	}
	return b
}

func TestCollect(t *testing.T) {
	r := newRig(t, nil)
	ctx, from := t.Context(), begin()
	first, err := r.collector.Collect(ctx, batch(from, 1, 0, 5))
	if err != nil || first.Acknowledged != 1 {
		t.Fatal(first, err)
	}
	r.eventually(first.CallID, "what was acknowledged", func(rec *store.Record) bool { return len(rec.Streams) == 1 && *rec.Streams[0].Packets == 200 })
	again, err := r.collector.Collect(ctx, batch(from, 1, 0, 5))
	if err != nil || again != first {
		t.Errorf("the same batch again: %+v, %v", again, err)
	}
	reason := func(b collect.Batch) string {
		t.Helper()
		_, err := r.collector.Collect(ctx, b)
		var refused *collect.Refusal
		if errors.As(err, &refused) {
			return refused.Reason + " " + refused.Field
		}
		return string(identity.ReasonOf(err))
	}
	bad := batch(from, 2, 5, 2)
	bad.Entries[1].Stats = json.RawMessage(`7`)
	other := batch(from, 2, 5, 5)
	other.Session = "session-2"
	nobody := batch(from, 1, 0, 5)
	nobody.Token = "bad"
	for name, c := range map[string]struct {
		batch collect.Batch
		want  string
	}{
		"a gap": {batch(from, 3, 5, 5), "sequence_gap sequence"}, "nonsense": {bad, "invalid_statistics entries[1].stats"},
		"of another connection": {other, "token_replayed "}, "a bad token": {nobody, "token_signature_invalid"},
	} {
		if got := reason(c.batch); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if code, _ := closed(t, r.dial("/good-1?statsSessionId=session-1", "3.1_STANDARD")); code != 3002 {
		t.Errorf("a connection with the token of batches is closed with %d", code)
	}
	last := batch(from, 2, 5, 8)
	last.Ended = true
	if got, err := r.collector.Collect(ctx, last); err != nil || got.CallID != first.CallID || got.Acknowledged != 2 {
		t.Errorf("the last batch: %+v, %v", got, err)
	}
	record := r.eventually(first.CallID, "the end", func(rec *store.Record) bool { return rec.EndedAt != nil && !rec.Streams[0].Partial })
	if s := record.Streams[0]; *s.Packets != 600 || *s.PacketsLost != 12 || record.Participants[0].Identity != store.Guest {
		t.Errorf("record %+v", record)
	}
	if got := reason(batch(from, 3, 13, 1)); got != string(identity.TokenReplayed) {
		t.Errorf("after the end: %q", got)
	}
}

// A client that stops sending has left when it was last heard of.
func TestBatchesThatStop(t *testing.T) {
	r := newRig(t, nil)
	got, err := r.collector.Collect(t.Context(), batch(begin(), 1, 0, 5))
	if err != nil {
		t.Fatal(err)
	}
	r.forward(collect.DefaultConfig().IdleTimeout + time.Second)
	record := r.eventually(got.CallID, "the summary", func(rec *store.Record) bool { return len(rec.Streams) == 1 && !rec.Streams[0].Partial })
	if record.EndedAt == nil || record.EndReason != "broken_off" || time.Since(*record.EndedAt) < 0 {
		t.Errorf("record %+v", record)
	}
}

// Equal first batches at the same time, as of an impatient sender, are one session.
func TestEqualFirstBatchesAtOnce(t *testing.T) {
	r := newRig(t, nil)
	const senders = 20
	b := batch(begin(), 1, 0, 5)
	receipts, errs := make(chan collect.Receipt, senders), make(chan error, senders)
	for range senders {
		go func() {
			got, err := r.collector.Collect(t.Context(), b)
			receipts <- got
			errs <- err
		}()
	}
	calls := map[collect.Receipt]int{}
	for range senders {
		calls[<-receipts]++
		if err := <-errs; err != nil {
			t.Errorf("refused: %v", err)
		}
	}
	if len(calls) != 1 {
		t.Errorf("they are %d sessions: %v", len(calls), calls)
	}
	// A token that is none is refused to all of them.
	b.Token = "bad"
	for range senders {
		go func() {
			_, err := r.collector.Collect(t.Context(), b)
			errs <- err
		}()
	}
	for range senders {
		if err := <-errs; identity.ReasonOf(err) != identity.TokenSignature {
			t.Errorf("a bad token: %v", err)
		}
	}
}

// What Kafka doesn't take is not acknowledged.
func TestNothingIsAcknowledgedWithoutKafka(t *testing.T) {
	r := newRig(t, func(c *collect.Config, d *collect.Deps) {
		away := kafka.DefaultConfig()
		away.Brokers = []string{"127.0.0.1:9"} // Nobody listens there.
		client, err := kafka.New(away)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		d.Producer, c.AcknowledgeTimeout = client.NewProducer(), 200*time.Millisecond
	})
	from := begin()
	for _, b := range []collect.Batch{batch(from, 1, 0, 5), batch(from, 1, 0, 5), batch(from, 2, 5, 5)} { // Sent again, or gone on with, it is no more acknowledged.
		_, err := r.collector.Collect(t.Context(), b)
		var refused *collect.Refusal
		if !errors.As(err, &refused) || refused.Reason != collect.ReasonUnavailable {
			t.Errorf("the batch: %v", err)
		}
	}
	c, _ := r.jitsi("good-2", "session-2", false)
	talk(c, begin(), 0, 12)
	r.await("messages", func() bool { return r.metric("anteroom_collect_messages_total", "rtcstats-3.1") > 0 })
	r.stop() // It ends in time all the same, and says what is lost.
	if _, _, err := c.ws.Read(t.Context()); err == nil {
		t.Error("something was acknowledged")
	}
	if r.metric("anteroom_collect_lost_total", "") == 0 {
		t.Error("nothing is known to be lost")
	}
}
