package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// victimEnv makes a run of the test binary a process that appends, for tests that kill it: database, folder.
const victimEnv = "ANTEROOM_TEST_LEDGER_VICTIM"

func TestMain(m *testing.M) {
	ledger.RouteLogs(slog.New(slog.DiscardHandler))
	if spec := os.Getenv(victimEnv); spec != "" {
		victim(spec)
	}
	embeddedtest.Main(m)
}

const region = "emea"

// startOfTime is when the test's leaves are of.
var startOfTime = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func config(dir string) ledger.Config {
	cfg := ledger.DefaultConfig()
	cfg.Dir = dir
	cfg.CheckpointInterval, cfg.PollInterval = 100*time.Millisecond, 10*time.Millisecond
	return cfg
}

func open(t *testing.T, dir string, s *store.Store) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(config(dir), region, ledger.Deps{Store: s, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// leaf is one of kind policy, whose id is its name.
func leaf(name string) *proof.Leaf {
	return &proof.Leaf{
		Schema: proof.Schema, Type: proof.LeafPolicy, Region: region, ID: name, At: proof.Time(startOfTime), Organization: "contoso",
		Digest: proof.LeafHash([]byte(name)),
	}
}

func put(t *testing.T, s *store.Store, leaves ...*proof.Leaf) {
	t.Helper()
	for _, l := range leaves {
		text, err := l.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.PutLeaf(t.Context(), l.ID, text); err != nil {
			t.Fatal(err)
		}
	}
}

// putNamed puts leaves at once, a microsecond apart.
func putNamed(t *testing.T, raw driver.Conn, prefix string, n int) {
	t.Helper()
	batch, err := raw.PrepareBatch(t.Context(), "INSERT INTO ledger_outbox (id, leaf, inserted_at)")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range n {
		l := leaf(fmt.Sprint(prefix, i))
		text, err := l.Canonical()
		if err == nil {
			err = batch.Append(l.ID, string(text), now.Add(time.Duration(i)*time.Microsecond))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// start runs the ledger; stop ends that.
func start(t *testing.T, l *ledger.Ledger) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run ledger: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// settle waits until no leaf waits.
func settle(t *testing.T, s *store.Store) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		count, _, err := s.Waiting(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if count == 0 {
			return
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("%d leaves still wait", count)
		}
	}
}

// appendAll has the ledger take up all that waits.
func appendAll(t *testing.T, l *ledger.Ledger, s *store.Store) {
	t.Helper()
	stop := start(t, l)
	settle(t, s)
	stop()
}

// inLog are the ids of the log's leaves, in order.
func inLog(t *testing.T, l *ledger.Ledger) (ids []string) {
	t.Helper()
	published, err := l.Published(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = l.EachLeaf(t.Context(), 0, published.Size, func(_ uint64, text []byte) error {
		leaf, err := proof.ParseLeaf(text)
		ids = append(ids, leaf.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// wantClean has fsck look at everything.
func wantClean(t *testing.T, l *ledger.Ledger, leaves int) {
	t.Helper()
	result, err := l.Fsck(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Findings {
		t.Errorf("fsck: %s", f)
	}
	if result.Size != uint64(leaves) || result.Waiting != 0 {
		t.Errorf("the log has %d leaves and %d wait, want %d and none", result.Size, result.Waiting, leaves)
	}
}

// victim appends until it is killed, or, once nothing waits any more, ends.
func victim(spec string) {
	fields := strings.Split(spec, "|")
	cfg := store.DefaultConfig()
	cfg.Addresses, cfg.Database, cfg.Username, cfg.Password = fields[:1], fields[1], fields[2], fields[3]
	s, err := store.Open(cfg)
	if err == nil {
		var l *ledger.Ledger
		if l, err = ledger.Open(config(fields[4]), region, ledger.Deps{Store: s}); err == nil {
			ctx, cancel := context.WithCancel(context.Background())
			go func() {
				for ctx.Err() == nil {
					if count, _, err := s.Waiting(ctx); err == nil && count == 0 {
						cancel()
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
			err = l.Run(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// wantError checks which error came.
func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// connect is for statements of a test's own.
func connect(t *testing.T, cfg store.Config) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: cfg.Addresses, Auth: clickhouse.Auth{Database: cfg.Database, Username: cfg.Username, Password: cfg.Password},
		Settings: clickhouse.Settings{"mutations_sync": 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func do(t *testing.T, conn driver.Conn, query string, args ...any) {
	t.Helper()
	if err := conn.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
