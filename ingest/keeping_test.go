package ingest_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// TestBrokersTellHowLongTheyKeep: what topics were made with is what the broker says, and what it says is when a record is gone; another setting than the
// configured one is told.
func TestBrokersTellHowLongTheyKeep(t *testing.T) {
	const day = 24 * time.Hour
	r := newRig(t)
	further := r.cfg.Region + "-far"
	copies := event.CopiesTopic(further)
	err := r.deps.Kafka.EnsureTopics(t.Context(), kafka.Topic{Name: copies, Partitions: 1, Retention: 2 * day, Segment: 6 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	metrics := prometheus.NewRegistry()
	k := ingest.NewKeeping(r.cfg, r.deps.Kafka, further, r.deps.Kafka, slog.New(slog.NewTextHandler(&log, nil)), metrics)
	sent := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	if at := k.Expires(store.ClassCopy, sent, sent); at != nil {
		t.Errorf("before the broker was asked a copy expires at %v", at)
	}
	if err := k.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	chat := event.Topic(r.cfg.Region, event.Content)
	want := map[string]kafka.TopicSettings{
		chat:   {Retention: 7 * day, Segment: day, DeleteDelay: time.Minute},
		copies: {Retention: 2 * day, Segment: 6 * time.Hour, DeleteDelay: time.Minute},
	}
	if diff := cmp.Diff(want, k.Settings()); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if got := log.String(); strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, "otherwise than configured") || !strings.Contains(got, copies) {
		t.Errorf("logged:\n%s", got)
	}
	if n := testutil.CollectAndCount(metrics, "anteroom_kafka_topic_retention_seconds"); n != 2 {
		t.Errorf("%d topics are measured", n)
	}
	// A copy may have been made of what the home region's broker was about to drop.
	const slack = 6 * time.Minute
	wantAt := sent.Add(5*time.Minute + (7*day + day + slack) + (2*day + 6*time.Hour + slack))
	if at := k.Expires(store.ClassCopy, sent, sent); at == nil || !at.Equal(wantAt) {
		t.Errorf("a copy expires at %v, want %v", at, wantAt)
	}
	if at := k.Expires(store.ClassNotice, sent, sent); at != nil {
		t.Errorf("a notice of a further region expires at %v", at)
	}

	home := ingest.NewKeeping(r.cfg, r.deps.Kafka, r.cfg.Region, nil, slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry())
	if err := home.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	purged := sent.Add(40 * day)
	for class, want := range map[store.Class]time.Duration{
		store.ClassThread: 5*time.Minute + 8*day + slack, store.ClassDecision: 40*day + 7*day + 7*day + slack, store.ClassRecording: 0,
	} {
		at := home.Expires(class, sent, purged)
		if (at == nil) != (want == 0) || (at != nil && !at.Equal(sent.Add(want))) {
			t.Errorf("%v expires at %v, want %v after it was sent", class, at, want)
		}
	}
}
