package ingest_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/anteroom/anteroom/store"
)

// TestKilledAtAnyMomentNothingIsLostOrDoubled kills broker, ClickHouse, producer and ingest together at random moments while reports are
// produced and ingested, and lets the last run finish.
func TestKilledAtAnyMomentNothingIsLostOrDoubled(t *testing.T) {
	kills, plan := 5, victimPlan{Dir: t.TempDir(), Reports: 40_000, Streams: 2}
	if os.Getenv("CI") == "true" {
		kills, plan.Reports = 50, 200_000
	}
	if n := os.Getenv("ANTEROOM_TEST_KILLS"); n != "" { // make torture
		var err error
		if kills, err = strconv.Atoi(n); err != nil {
			t.Fatalf("ANTEROOM_TEST_KILLS: %v", err)
		}
		plan.Reports = 4000 * kills
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range kills {
		v := startVictim(t, plan)
		if random.IntN(10) > 0 { // most of them at work, some while they start
			v.up(t, plan.Dir)
		}
		time.Sleep(time.Duration(random.IntN(1200)) * time.Millisecond)
		v.reads(plan.Dir)
		v.kill()
	}
	v := startVictim(t, plan)
	v.up(t, plan.Dir)
	conn := v.connect(t)
	want := uint64(plan.Reports * plan.Streams)
	waitFor(t, conn, want, "SELECT count() FROM samples")
	// Were there more to come, they would come now.
	time.Sleep(2 * time.Second)
	for query, want := range map[string]uint64{
		"SELECT count() FROM samples":                                                                    want,
		"SELECT uniqExact(_topic, _partition, _offset, _index) FROM samples":                             want,
		"SELECT uniqExact(call_id, stream_id, observed_at) FROM samples":                                 want,
		"SELECT sum(samples) FROM ingest_batches FINAL":                                                  want,
		"SELECT count() FROM (SELECT source FROM source_marks GROUP BY source HAVING max(sequence) > 0)": 20,
		"SELECT count() FROM dead_letters":                                                               0,
	} {
		if got := number(t, conn, query); got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
	v.rollUp(t)
	for _, table := range []string{"rollup_minute", "rollup_hour"} {
		if got := number(t, conn, "SELECT sum(samples) FROM "+table); got != want {
			t.Errorf("%s adds up to %d samples, want %d", table, got, want)
		}
	}
	parts := number(t, conn, "SELECT count() FROM source_marks")
	t.Logf("%d kills, %d rows, %d mark rows", kills, want, parts)
}

// rollUp rebuilds all hours that need it, as the service does each minute.
func (v *victim) rollUp(t *testing.T) {
	t.Helper()
	storage, err := store.Open(victimStore(v.engine))
	if err != nil {
		t.Fatal(err)
	}
	defer storage.Close()
	hours, err := storage.DirtyHours(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, hour := range hours {
		if err := storage.RebuildHour(t.Context(), hour); err != nil {
			t.Fatal(err)
		}
	}
}

func (v *victim) connect(t *testing.T) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{v.engine.Addr},
		Auth: clickhouse.Auth{Database: victimDatabase, Username: v.engine.User, Password: v.engine.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func number(t *testing.T, conn driver.Conn, query string) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// waitFor waits until a number is reached, for as long as it still rises.
func waitFor(t *testing.T, conn driver.Conn, want uint64, query string) {
	t.Helper()
	var last uint64
	for still := 0; still < 300; still++ {
		n := number(t, conn, query)
		if n >= want {
			return
		}
		if n > last {
			last, still = n, 0
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s stays at %d, want %d", query, last, want)
}
