package sealing_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		runVictim()
		return
	}
	embeddedtest.Main(m)
}

// clock is a test's.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// progress is what a test says of it.
type progress struct {
	mu    sync.Mutex
	until time.Time // guarded by mu
	err   error     // guarded by mu
}

func (p *progress) Ingested(_ context.Context, before time.Time) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !before.After(p.until), p.err
}

func (p *progress) set(until time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until, p.err = until, err
}

// kit is one region's folder and what it works with.
type kit struct {
	t        *testing.T
	cfg      sealing.Config
	home     *store.Store
	clock    *clock
	progress *progress
	log      *logged
}

// logged collects what is logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newKit(t *testing.T) *kit {
	t.Helper()
	cfg := sealing.DefaultConfig()
	cfg.Dir = filepath.Join(t.TempDir(), "keys")
	return &kit{
		t: t, cfg: cfg, home: storetest.New(t), progress: &progress{}, log: &logged{},
		clock: &clock{now: time.Date(2026, 7, 27, 13, 14, 15, 0, time.UTC)},
	}
}

func (k *kit) keeper() *sealing.Keeper {
	k.t.Helper()
	keeper, err := sealing.NewKeeper(k.cfg, "amer", sealing.KeeperDeps{
		Home: k.home, Progress: k.progress, Now: k.clock.Now, Log: slog.New(slog.NewTextHandler(k.log, nil)), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return keeper
}

// pass is one of a keeper that must succeed.
func (k *kit) pass(keeper *sealing.Keeper) {
	k.t.Helper()
	if err := keeper.Pass(k.t.Context()); err != nil {
		k.t.Fatalf("pass: %v", err)
	}
}

// ring knows what is published at the moment of the call, and what comes.
func (k *kit) ring() *sealing.Ring {
	k.t.Helper()
	ring, err := sealing.NewRing(sealing.RingDeps{Home: k.home, Now: k.clock.Now, Metrics: prometheus.NewRegistry()})
	if err != nil {
		k.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(k.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- ring.Run(ctx) }()
	k.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			k.t.Errorf("run ring: %v", err)
		}
	})
	if err := ring.Await(k.t.Context(), "amer"); err != nil {
		k.t.Fatal(err)
	}
	return ring
}

func (k *kit) seal(ring *sealing.Ring, about, text string) sealing.Sealed {
	k.t.Helper()
	s, err := ring.Seal("amer", []byte(about), []byte(text))
	if err != nil {
		k.t.Fatalf("seal: %v", err)
	}
	return s
}

func (k *kit) opens(keeper *sealing.Keeper, s sealing.Sealed, about, want string) {
	k.t.Helper()
	text, err := keeper.Open(k.t.Context(), s.KeyID, []byte(about), s.Text)
	if err != nil || string(text) != want {
		k.t.Errorf("opened %q, %v; want %q", text, err, want)
	}
}

// files of keys.
func (k *kit) files() []string {
	k.t.Helper()
	entries, err := os.ReadDir(filepath.Join(k.cfg.Dir, "amer"))
	if err != nil {
		k.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".key") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// rows are those not deleted.
func (k *kit) rows() []store.Control {
	k.t.Helper()
	rows, err := k.home.List(k.t.Context(), sealing.Kind, "")
	if err != nil {
		k.t.Fatal(err)
	}
	return rows
}
