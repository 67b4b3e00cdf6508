package ingest_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/faulttest"
	"github.com/anteroom/anteroom/store"
)

// TestADiskOfClickHouseThatIsFull: what was produced waits in Kafka, the checks say what is wrong, and when there is room again all is there once.
func TestADiskOfClickHouseThatIsFull(t *testing.T) {
	disk := faulttest.NewDisk(t, 400<<20)
	cfg := embedded.DefaultClickHouseConfig(filepath.Join(disk.Dir, "clickhouse"))
	cfg.MemoryRatio = 0.25
	engine, err := embedded.StartClickHouse(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	r := newRig(t)
	r.storage = victimStore(victimEngine{Addr: engine.Addr(), User: engine.User(), Password: engine.Password()})
	if _, err := store.Migrate(t.Context(), r.storage); err != nil {
		t.Fatal(err)
	}
	if r.deps.Store, err = store.Open(r.storage); err != nil {
		t.Fatal(err)
	}
	defer r.deps.Store.Close()
	if r.conn, err = clickhouse.Open(&clickhouse.Options{
		Addr: r.storage.Addresses, Auth: clickhouse.Auth{Database: r.storage.Database, Username: r.storage.Username, Password: r.storage.Password},
	}); err != nil {
		t.Fatal(err)
	}
	defer r.conn.Close()
	service, stop := r.startService(t)
	sequence := uint64(0)
	produce := func(n int) {
		t.Helper()
		var events []*eventpb.Event
		for range n {
			sequence++
			events = append(events, r.report("call", "media/one/1", sequence, 3))
		}
		r.produce(t, events...)
	}
	produce(100)
	waitFor(t, r.conn, 3*sequence, countSamples)
	for _, left := range []int64{0, 100 << 10, 1100 << 10} {
		disk.Fill(left)
		for deadline := time.Now().Add(time.Minute); allOK(service.Checks()); time.Sleep(50 * time.Millisecond) {
			produce(200)
			if time.Now().After(deadline) {
				t.Fatalf("with %d bytes left all is called well", left)
			}
		}
		disk.Free()
		waitFor(t, r.conn, 3*sequence, countSamples)
		awaitChecks(t, service, true)
	}
	stop()
	for _, query := range []string{countSamples, countKeys} {
		if got := r.count(t, query); got != 3*sequence {
			t.Errorf("%s: got %d, want %d", query, got, 3*sequence)
		}
	}
	if n := r.count(t, "SELECT count() FROM dead_letters"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	t.Logf("%d rows", 3*sequence)
}
