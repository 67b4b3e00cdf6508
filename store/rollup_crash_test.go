package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// texts runs a query with one column.
func texts(t *testing.T, s *store.Store, query string) []string {
	t.Helper()
	rows, err := s.Conn().Query(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// wantGroups compares what adds up, group by group and bucket by bucket, between base and both roll-ups.
func wantGroups(t *testing.T, s *store.Store) {
	t.Helper()
	const line = `SELECT toString((%[1]s, org, region, toString(source_kind), toString(media), toString(direction), %[2]s,
			sum(interval_ms), sum(packets), sum(packets_lost), sum(bytes), %[3]s, %[4]s)) AS line
		FROM %[5]s GROUP BY %[1]s, org, region, source_kind, media, direction ORDER BY line`
	for _, r := range [][3]string{{"rollup_minute", "minute", "toStartOfMinute"}, {"rollup_hour", "hour", "toStartOfHour"}} {
		bucket := "toDateTime(" + r[2] + "(observed_at), 'UTC')"
		want := texts(t, s, fmt.Sprintf(line, bucket, "count()", "uniqExact(call_id)", "uniqExact(stream_id)", "samples"))
		got := texts(t, s, fmt.Sprintf(line, r[1], "sum(samples)", "uniqCombinedMerge(12)(calls)", "uniqCombinedMerge(12)(streams)", r[0]))
		if len(want) == 0 {
			t.Error("there is nothing to compare")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-base +roll-up):\n%s", r[0], diff)
		}
	}
}

func wantDirty(t *testing.T, s *store.Store, want ...time.Time) {
	t.Helper()
	got, err := s.DirtyHours(t.Context(), firstHour.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dirty hours (-want +got):\n%s", diff)
	}
}

func stagingTables(t *testing.T, s *store.Store) []string {
	t.Helper()
	return texts(t, s, "SELECT name FROM system.tables WHERE database = currentDatabase() AND position(name, '_staging_') > 0")
}

// TestARebuildMayCrashAnywhere ends a rebuild before each of its statements in turn.
func TestARebuildMayCrashAnywhere(t *testing.T) {
	s := storetest.New(t)
	storeSamples(t, s, firstHour.Add(30*time.Minute), 0, 3600) // half of two hours
	second := firstHour.Add(time.Hour)
	if err := s.RebuildHour(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	crashes := 0
	for ; ; crashes++ {
		err := store.RebuildHourUntil(t.Context(), s, firstHour, crashes)
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrCrash) {
			t.Fatal(err)
		}
		wantDirty(t, s, firstHour)
	}
	if crashes < 8 || len(stagingTables(t, s)) == 0 {
		t.Errorf("%d crashes left %d staging tables; the test tests nothing", crashes, len(stagingTables(t, s)))
	}
	wantDirty(t, s)
	wantGroups(t, s)
	if err := s.DropStaging(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if len(stagingTables(t, s)) == 0 {
		t.Error("staging tables that may still be in use were dropped")
	}
	if err := s.DropStaging(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if left := stagingTables(t, s); len(left) > 0 {
		t.Errorf("staging tables are left: %v", left)
	}
}

// TestRollupsFindAnHourThatWasOpen: the batches of an hour may be as old as the hour is long when it closes.
func TestRollupsFindAnHourThatWasOpen(t *testing.T) {
	s := storetest.New(t)
	storeSamples(t, s, firstHour, 0, 60)
	early := firstHour.Add(30 * time.Second)
	err := s.Conn().Exec(t.Context(), "ALTER TABLE ingest_batches UPDATE inserted_at = $1 WHERE 1 SETTINGS mutations_sync = 2", early)
	if err != nil {
		t.Fatal(err)
	}
	now := firstHour.Add(time.Hour + 90*time.Second) // within the grace
	r, err := store.NewRollups(s, store.DefaultRollupsConfig(), func() time.Time { return now },
		slog.New(slog.NewTextHandler(t.Output(), nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	pass(t, r, 0)
	now = now.Add(time.Minute)
	pass(t, r, 1)
	now = now.Add(time.Minute)
	pass(t, r, 0)
	wantGroups(t, s)
}

// TestRollupsMayRunTwiceAtOnce lets two rebuilders and an ingest that never rests work on the same day.
func TestRollupsMayRunTwiceAtOnce(t *testing.T) {
	s := storetest.New(t)
	cfg := store.DefaultRollupsConfig()
	cfg.Every = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for range cap(ended) {
		r, err := store.NewRollups(s, cfg, time.Now, slog.New(slog.NewTextHandler(t.Output(), nil)), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- r.Run(ctx) }()
	}
	for i := range int64(3) {
		storeSamples(t, s, firstHour.Add(time.Duration(i)*20*time.Minute), i, 1800)
	}
	for {
		hours, err := s.DirtyHours(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if len(hours) == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	cancel()
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Errorf("run ended with %v", err)
		}
	}
	// Rebuilds that the end cut short may have put back what they had read before: that has to show, and to mend.
	hours, err := s.DirtyHours(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, hour := range hours {
		if err := s.RebuildHour(t.Context(), hour); err != nil {
			t.Fatal(err)
		}
	}
	wantGroups(t, s)
}
