package store_test

import (
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

var firstHour = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)

// storeSamples stores n samples a second apart from a time on, as one batch at an offset, the way ingest does.
func storeSamples(t *testing.T, s *store.Store, from time.Time, offset int64, n int) {
	t.Helper()
	b := store.NewBatch()
	b.Reset("t", 0)
	for i := range n {
		env := envelopeOf(fmt.Sprintf("call-%d", i%9))
		env.ObservedAt = from.Add(time.Duration(i) * time.Second)
		id := uuid.NewSHA1(uuid.Nil, []byte(env.CallID))
		jitter := float32(i % 100)
		b.Samples.Add(store.Origin{Offset: offset, Index: uint32(i)}, env, &eventpb.StreamReport{ParticipantId: id[:], IntervalMs: 1000}, &eventpb.StreamSample{
			StreamId: id[:], Direction: eventpb.Direction_DIRECTION_INBOUND, Media: eventpb.Media_MEDIA_AUDIO, Packets: 95, PacketsLost: 5, JitterMs: &jitter,
		})
	}
	if err := s.Insert(t.Context(), b, fmt.Sprintf("token-%d", offset)); err != nil {
		t.Fatal(err)
	}
	f := store.Finish{Topic: "t", First: offset, Last: offset, Hours: b.Samples.Hours()}
	if err := s.SaveFinish(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	// A batch of the second in which a rebuild began counts as newer than it, so that rebuild would be followed by one more.
	time.Sleep(1100 * time.Millisecond)
}

func newRollups(t *testing.T, s *store.Store, now time.Time) *store.Rollups {
	t.Helper()
	r, err := store.NewRollups(s, store.DefaultRollupsConfig(), func() time.Time { return now }, slog.New(slog.NewTextHandler(t.Output(), nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pass(t *testing.T, r *store.Rollups, want int) {
	t.Helper()
	if got, err := r.Pass(t.Context()); err != nil || got != want {
		t.Fatalf("a pass rebuilt %d hours (%v), want %d", got, err, want)
	}
}

// wantRolledUp compares the roll-ups with the base rows of the closed hours.
func wantRolledUp(t *testing.T, s *store.Store, closed time.Time) {
	t.Helper()
	want := count(t, t.Context(), s.Conn(), "SELECT count() FROM samples WHERE observed_at < ?", closed)
	for _, table := range []string{"rollup_minute", "rollup_hour"} {
		if got := count(t, t.Context(), s.Conn(), "SELECT sum(samples) FROM "+table); got != want {
			t.Errorf("%s holds %d samples, want %d", table, got, want)
		}
		if got := count(t, t.Context(), s.Conn(), "SELECT sum(packets) FROM "+table); got != 95*want {
			t.Errorf("%s holds %d packets, want %d", table, got, 95*want)
		}
	}
}

func TestRollupsAddUpToTheBaseRows(t *testing.T) {
	for name, s := range map[string]*store.Store{"one node": storetest.New(t), "two shards": startCluster(t)} {
		t.Run(name, func(t *testing.T) {
			const hour = 3600
			storeSamples(t, s, firstHour.Add(30*time.Minute), 0, hour) // half of two hours
			now := firstHour.Add(time.Hour + 10*time.Minute)
			r := newRollups(t, s, now)
			pass(t, r, 1) // the second hour is open
			wantRolledUp(t, s, firstHour.Add(time.Hour))
			pass(t, r, 0)

			later := newRollups(t, s, now.Add(time.Hour))
			pass(t, later, 1)
			wantRolledUp(t, s, now.Add(time.Hour))

			storeSamples(t, s, firstHour.Add(50*time.Minute), 1, 60) // late rows
			pass(t, later, 1)
			wantRolledUp(t, s, now.Add(time.Hour))
			storeSamples(t, s, firstHour.Add(50*time.Minute), 1, 60) // a replay of them; whether it costs a rebuild is open
			if _, err := later.Pass(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantRolledUp(t, s, now.Add(time.Hour))
			pass(t, newRollups(t, s, now.Add(time.Hour)), 0) // another that begins at the beginning
		})
	}
}

func TestRebuildingTwiceChangesNothing(t *testing.T) {
	s := storetest.New(t)
	storeSamples(t, s, firstHour, 0, 7200)
	for range 2 {
		for _, hour := range []time.Time{firstHour.Add(time.Hour), firstHour} {
			if err := s.RebuildHour(t.Context(), hour); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantRolledUp(t, s, firstHour.Add(2*time.Hour))
	if got := count(t, t.Context(), s.Conn(), "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%staging%'"); got != 0 {
		t.Errorf("%d staging tables are left", got)
	}
}

// TestLostPartitionsAreFound covers what a crash between the two swaps, or a rebuild that was overtaken, leaves.
func TestLostPartitionsAreFound(t *testing.T) {
	s := storetest.New(t)
	storeSamples(t, s, firstHour, 0, 3600)
	r := newRollups(t, s, firstHour.Add(2*time.Hour))
	pass(t, r, 1)
	for _, statement := range []string{"TRUNCATE TABLE rollup_minute", "TRUNCATE TABLE rollup_hour", "TRUNCATE TABLE rollup_hours"} {
		if err := s.Conn().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		pass(t, newRollups(t, s, firstHour.Add(2*time.Hour)), 1)
		wantRolledUp(t, s, firstHour.Add(2*time.Hour))
	}
}

func TestRollupQuantilesAreThoseOfTheBaseRows(t *testing.T) {
	s := storetest.New(t)
	storeSamples(t, s, firstHour, 0, 3600)
	pass(t, newRollups(t, s, firstHour.Add(2*time.Hour)), 1)
	var exact, hourly, loss float64
	if err := s.Conn().QueryRow(t.Context(), "SELECT quantileExact(0.95)(toFloat64(jitter_ms)) FROM samples").Scan(&exact); err != nil {
		t.Fatal(err)
	}
	err := s.Conn().QueryRow(t.Context(), `SELECT toFloat64(quantilesTDigestMerge(0.5, 0.75, 0.9, 0.95, 0.99)(jitter_ms)[4]),
		toFloat64(quantilesTDigestMerge(0.5, 0.75, 0.9, 0.95, 0.99)(loss_ratio)[1]) FROM rollup_minute`).Scan(&hourly, &loss)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(exact-hourly) > 1 {
		t.Errorf("95th percentile of jitter is %v in the roll-up, %v in the base rows", hourly, exact)
	}
	if math.Abs(loss-0.05) > 1e-6 {
		t.Errorf("median loss is %v in the roll-up, want 0.05", loss)
	}
}
