package backup_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/backup"
	"github.com/anteroom/anteroom/retention/journal"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// victimEnv makes a run of the test binary a process that restores, for tests that kill it.
const victimEnv = "ANTEROOM_TEST_RESTORE_VICTIM"

func TestMain(m *testing.M) {
	ledger.RouteLogs(slog.New(slog.DiscardHandler))
	if spec := os.Getenv(victimEnv); spec != "" {
		victim(spec)
	}
	embeddedtest.Main(m)
}

const region, org, call = "emea", "clinic", "018f0000-0000-7000-8000-000000000001"

var (
	meeting, heldMeeting = uuid.MustParse("11111111-0000-8000-8000-000000000001"), uuid.MustParse("11111111-0000-8000-8000-000000000002")
	resource             = uuid.MustParse("22222222-0000-8000-8000-000000000001")
	guest                = uuid.MustParse("33333333-0000-8000-8000-000000000001")
	noon                 = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

func message(n int) uuid.UUID { return uuid.MustParse(fmt.Sprintf("44444444-0000-8000-8000-%012d", n)) }

// place is a region with everything that deletes and proves.
type place struct {
	t   *testing.T
	cfg store.Config
	dir string
	// data is where the engine keeps its files, backups where backups are.
	data, backups string
	store         *store.Store
	sql           *storetest.SQL
	journal       *journal.Journal
	ledger        *ledger.Ledger
	stop          func()
	// periods are decided on whenever somebody decides.
	periods []period
}

type period struct {
	Class             string
	Meeting, Resource uuid.UUID
	Days              int // 0: for good
	Held              bool
}

func newPlace(t *testing.T) *place {
	t.Helper()
	_, cfg := storetest.NewConfig(t)
	engine := embeddedtest.ClickHouse(t)
	if engine.Backups == "" {
		t.Skip("the ClickHouse from outside says of no folder for backups")
	}
	p := &place{
		t: t, cfg: cfg, dir: t.TempDir(), data: filepath.Join(filepath.Dir(engine.Backups), "data"), backups: filepath.Join(engine.Backups, uuid.NewString()),
	}
	system := cfg
	system.Database = "system"
	admin := storetest.NewSQL(t, system)
	t.Cleanup(func() {
		for _, end := range []string{"_restoring", "_replaced", "_manifest"} {
			if err := admin.TryAfter("DROP DATABASE IF EXISTS " + cfg.Database + end + " SYNC"); err != nil {
				t.Error(err)
			}
		}
	})
	p.start()
	// So that a search of the files finds texts.
	p.sql.Exec("ALTER TABLE texts MODIFY COLUMN text String CODEC(NONE)")
	return p
}

func (p *place) journalDir() string { return filepath.Join(p.dir, "ledger", region, "journal") }

// start starts what runs in the role retention, but for the sweep.
func (p *place) start() {
	p.t.Helper()
	var err error
	if p.store, err = store.Open(p.cfg); err != nil {
		p.t.Fatal(err)
	}
	p.sql = storetest.NewSQL(p.t, p.cfg)
	if p.journal, err = journal.Open(p.journalDir(), journal.Deps{Store: p.store, Region: region}); err != nil {
		p.t.Fatal(err)
	}
	p.ledger, err = ledger.Open(ledgerConfig(p.dir), region, ledger.Deps{Store: p.store, Journal: p.journal, Log: slog.New(slog.NewTextHandler(p.t.Output(), nil))})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.ledger.Run(ctx) }()
	p.stop = func() {
		cancel()
		if err := errors.Join(<-ended, p.journal.Close(), p.store.Close()); err != nil {
			p.t.Error(err)
		}
		p.stop = func() {}
	}
	p.t.Cleanup(func() { p.stop() })
	p.follow()
}

func (p *place) follow() {
	p.t.Helper()
	if err := p.journal.Follow(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

func micro(t time.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Micro(%d, 'UTC')", t.UnixMicro())
}

func (p *place) insert(statement string) {
	p.t.Helper()
	p.sql.Exec(strings.Replace(statement, " VALUES", " SETTINGS insert_deduplication_token = '"+rand.Text()+"' VALUES", 1))
}

func (p *place) keep(class string, in uuid.UUID, item, holder uuid.UUID, sent time.Time) {
	p.t.Helper()
	of := uuid.Nil
	if holder != uuid.Nil {
		of = resource
	}
	p.insert(fmt.Sprintf(`INSERT INTO retained (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at) VALUES ('%s', '%s', '%s', '%s', '%s', '%s', '%s', %s)`,
		class, org, in, call, item, holder, of, micro(sent)))
}

func (p *place) text(class string, in uuid.UUID, item uuid.UUID, sent, revised time.Time, text string) {
	p.t.Helper()
	p.insert(fmt.Sprintf(`INSERT INTO texts (class, org, meeting_id, call_id, message_id, sent_at, revised_at, text) VALUES ('%s', '%s', '%s', '%s', '%s', %s, %s, '%s')`,
		class, org, in, call, item, micro(sent), micro(revised), text))
}

// say keeps a message in the thread, and as the guest's copy if it was shown to it.
func (p *place) say(in uuid.UUID, n int, sent time.Time, text string, shown bool) {
	p.t.Helper()
	p.keep("thread", in, message(n), uuid.Nil, sent)
	p.text("thread", in, message(n), sent, sent, text+" in the thread")
	if shown {
		p.insert(fmt.Sprintf(`INSERT INTO copy_heads (org, meeting_id, call_id, holder_id, message_id, sent_at) VALUES ('%s', '%s', '%s', '%s', '%s', %s)`,
			org, in, call, guest, message(n), micro(sent)))
		p.keep("copy", in, message(n), guest, sent)
		p.text("copy", in, message(n), sent, sent, text+" as a copy")
	}
}

func (p *place) retract(in uuid.UUID, n int, at time.Time) {
	p.t.Helper()
	p.insert(fmt.Sprintf(`INSERT INTO retractions (org, meeting_id, call_id, message_id, retracted_at) VALUES ('%s', '%s', '%s', '%s', %s)`, org, in, call, message(n), micro(at)))
}

// decide writes what is decided about periods, as the decider would.
func (p *place) decide() {
	p.t.Helper()
	for _, statement := range decisions(p.periods) {
		p.sql.Exec(statement)
	}
}

func decisions(periods []period) []string {
	var out []string
	for _, d := range periods {
		of := "NULL"
		if d.Days > 0 {
			of = fmt.Sprint(d.Days * 24 * 3600)
		}
		out = append(out, fmt.Sprintf(`INSERT INTO retention_decisions (org, meeting_id, class, resource_id, period_s, held, rule_id, rule_version, reason, revision, decided_at, seq) SETTINGS insert_deduplication_token = '%s'
			VALUES ('%s', '%s', '%s', '%s', %s, %v, 'default', 0, 'test', 'r1', now64(6), toUnixTimestamp64Micro(now64(6)))`,
			rand.Text(), org, d.Meeting, d.Class, d.Resource, of, d.Held))
	}
	return out
}

// sweep sweeps a store for a moment, and wants nothing left undone.
func sweep(ctx context.Context, s *store.Store, key []byte, j retention.Journal, now time.Time, log *slog.Logger) (uint64, error) {
	sweeper, err := retention.NewSweeper(retention.DefaultSweepConfig(), retention.SweeperDeps{
		Region: region, Store: s, IDKey: key, Journal: j, Log: log, MaxDecisionAge: -1,
	})
	if err != nil {
		return 0, err
	}
	result, err := sweeper.Sweep(ctx, now, false)
	if err == nil && result.Partial {
		err = fmt.Errorf("the sweep left something undone: %q", result.Problems)
	}
	return result.Purged, errors.Join(err, sweeper.Close(ctx))
}

func (p *place) sweep(now time.Time) uint64 {
	p.t.Helper()
	n, err := sweep(p.t.Context(), p.store, p.ledger.IDKey(), p.journal, now, slog.New(slog.NewTextHandler(p.t.Output(), nil)))
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// settle waits until the ledger has all leaves.
func (p *place) settle() {
	p.t.Helper()
	for range 600 {
		waiting, _, err := p.store.Waiting(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		if waiting == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Fatal("leaves still wait")
}

func (p *place) region() backup.Region {
	r := p.setup().region()
	r.Checkpoint = p.ledger.Checkpoint
	return r
}

func (p *place) make(name string) backup.Manifest {
	p.t.Helper()
	m, err := backup.Make(p.t.Context(), p.region(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

func (p *place) setup() setup {
	return setup{ClickHouse: p.cfg, Dir: p.dir, Backups: p.backups, Periods: p.periods}
}

// from is what a restore works with that has everything swept for a moment.
func (p *place) from(now time.Time) backup.From {
	p.t.Helper()
	s := p.setup()
	s.Now = now
	f, err := s.from()
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

// setup is all that a process needs to restore.
type setup struct {
	ClickHouse   store.Config
	Password     string
	Dir, Backups string
	Periods      []period
	Now          time.Time
}

func (s setup) region() backup.Region {
	return backup.Region{
		Name: region, ClickHouse: s.ClickHouse, Destination: store.Destination("File('" + s.Backups + "/{name}')"), Keep: 24 * time.Hour, Version: "test",
		Positions: func(context.Context) ([]store.Position, error) { return []store.Position{}, nil },
	}
}

func ledgerConfig(dir string) ledger.Config {
	cfg := ledger.DefaultConfig()
	cfg.Dir = filepath.Join(dir, "ledger")
	cfg.CheckpointInterval, cfg.PollInterval = 100*time.Millisecond, 10*time.Millisecond
	return cfg
}

func (s setup) from() (backup.From, error) {
	l, err := ledger.OpenExisting(ledgerConfig(s.Dir), region, ledger.Deps{})
	if err != nil {
		return backup.From{}, err
	}
	return backup.From{
		Region: s.region(), Journal: filepath.Join(s.Dir, "ledger", region, "journal"), IDKey: l.IDKey(),
		Ledger: func(ctx context.Context) (uint64, error) {
			at, err := l.Published(ctx)
			return at.Size, err
		},
		Steps: backup.Steps{
			Idle:   func(context.Context) error { return nil },
			Ingest: func(context.Context, store.Config, []store.Position) ([]backup.Lost, error) { return nil, nil },
			Decide: func(ctx context.Context, in store.Config) error {
				conn, err := clickhouse.Open(&clickhouse.Options{
					Addr: in.Addresses, Auth: clickhouse.Auth{Database: in.Database, Username: in.Username, Password: in.Password},
				})
				if err != nil {
					return err
				}
				defer conn.Close()
				for _, statement := range decisions(s.Periods) {
					err = errors.Join(err, conn.Exec(ctx, statement))
				}
				return err
			},
			Sweep: func(ctx context.Context, in store.Config, j *journal.Journal) (uint64, error) {
				restored, err := store.Open(in)
				if err != nil {
					return 0, err
				}
				defer restored.Close()
				return sweep(ctx, restored, l.IDKey(), j, s.Now, nil)
			},
		},
	}, nil
}
