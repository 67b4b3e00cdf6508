package sealing_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// victimEnv has the configuration of a keeper that is a process of its own, to be killed.
const victimEnv = "ANTEROOM_TEST_KEEPER"

// victim is what such a process is told.
type victim struct {
	Sealing sealing.Config
	Store   store.Config
	// Password of the store, which a configuration doesn't show.
	Password string
	// Progress is a file with the time up to which all is ingested.
	Progress string
}

// runVictim makes passes until it is killed, and says when each is over.
func runVictim() {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	var v victim
	fail(json.Unmarshal([]byte(os.Getenv(victimEnv)), &v))
	v.Store.Password = v.Password
	home, err := store.Open(v.Store)
	fail(err)
	keeper, err := sealing.NewKeeper(v.Sealing, "amer", sealing.KeeperDeps{Home: home, Progress: progressFile(v.Progress)})
	fail(err)
	for {
		fail(keeper.Pass(context.Background()))
		fmt.Println("pass")
		time.Sleep(20 * time.Millisecond)
	}
}

type progressFile string

func (f progressFile) Ingested(_ context.Context, before time.Time) (bool, error) {
	text, err := os.ReadFile(string(f))
	if err != nil {
		return false, nil //nolint:nilerr // not written yet
	}
	until, err := time.Parse(time.RFC3339Nano, string(text))
	return err == nil && !before.After(until), err
}

func (f progressFile) set(t *testing.T, until time.Time) {
	t.Helper()
	temp := string(f) + ".new"
	if err := errors.Join(os.WriteFile(temp, []byte(until.Format(time.RFC3339Nano)), 0o600), os.Rename(temp, string(f))); err != nil {
		t.Fatal(err)
	}
}

// stream is what is sealed while keepers are killed, and ingested a while later.
type stream struct {
	t    *testing.T
	ring *sealing.Ring

	mu     sync.Mutex
	sealed []sealing.Sealed // guarded by mu
	at     []time.Time      // guarded by mu
	opened int              // guarded by mu
}

func (s *stream) seal(ctx context.Context) {
	for ctx.Err() == nil {
		s.mu.Lock()
		at := time.Now()
		got, err := s.ring.Seal("amer", []byte("about"), fmt.Append(nil, len(s.sealed)))
		if err == nil {
			s.sealed, s.at = append(s.sealed, got), append(s.at, at)
		}
		s.mu.Unlock()
		if err != nil && !errors.Is(err, sealing.ErrNoKey) {
			s.t.Errorf("seal: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ingest opens all there is but the newest, each once and in order, and says how far it is.
func (s *stream) ingest(keeper *sealing.Keeper, behind int, progress progressFile) {
	s.t.Helper()
	s.mu.Lock()
	end, now := len(s.sealed), time.Now()
	s.mu.Unlock()
	for i := s.opened; i < end-behind; i++ {
		text, err := keeper.Open(s.t.Context(), s.sealed[i].KeyID, []byte("about"), s.sealed[i].Text)
		if err != nil || string(text) != fmt.Sprint(i) {
			s.t.Fatalf("message %d, sealed to %s at %s, opens as %q, %v", i, s.sealed[i].KeyID, s.at[i], text, err)
		}
		s.opened = i + 1
	}
	if s.opened < end {
		now = s.at[s.opened]
	}
	progress.set(s.t, now)
}

// Keepers are killed again and again, at any point of making, publishing, withdrawing and destroying: what isn't ingested can be opened, and what is
// done with ends up destroyed.
func TestKillKeepers(t *testing.T) {
	home, cfg := storetest.NewConfig(t)
	v := victim{Sealing: sealing.DefaultConfig(), Store: cfg, Password: cfg.Password, Progress: filepath.Join(t.TempDir(), "progress")}
	v.Sealing.Dir, v.Sealing.Interval, v.Sealing.Slack = filepath.Join(t.TempDir(), "keys"), time.Second, time.Second
	environ, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{t: t, cfg: v.Sealing, home: home, progress: &progress{}, log: &logged{}}
	ring, err := sealing.NewRing(sealing.RingDeps{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	t.Cleanup(func() { stop(); group.Wait() })
	s := &stream{t: t, ring: ring}
	group.Go(func() { _ = ring.Run(ctx) })
	group.Go(func() { s.seal(ctx) })

	keeper, err := sealing.NewKeeper(v.Sealing, "amer", sealing.KeeperDeps{Home: home, Progress: progressFile(v.Progress)})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 25 {
		kill(t, string(environ), 1+r.IntN(25), time.Duration(r.IntN(30_000))*time.Microsecond)
		s.ingest(keeper, r.IntN(1500), progressFile(v.Progress))
	}
	stop()
	group.Wait()
	s.ingest(keeper, 0, progressFile(v.Progress))
	if s.opened < 100 {
		t.Errorf("only %d messages were sealed", s.opened)
	}
	progressFile(v.Progress).set(t, time.Now().Add(time.Hour))
	// The last one is let do its work, until all that was sealed to is destroyed.
	deadline := time.Now().Add(time.Minute)
	for i := 0; i < s.opened; {
		if err := keeper.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		for ; i < s.opened; i++ {
			if _, err := keeper.Open(t.Context(), s.sealed[i].KeyID, []byte("about"), s.sealed[i].Text); !errors.Is(err, sealing.ErrDestroyed) {
				if time.Now().After(deadline) {
					t.Fatalf("message %d: %v, want %v", i, err, sealing.ErrDestroyed)
				}
				break
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	if n := len(k.files()); n > 6 {
		t.Errorf("%d files of keys are left", n)
	}
	t.Logf("%d messages, each opened once", s.opened)
}

// kill starts a keeper, and kills it a while after some passes.
func kill(t *testing.T, environ string, passes int, after time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+environ)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range passes {
		if !lines.Scan() {
			t.Errorf("the keeper ended by itself: %v", cmd.Wait())
			return
		}
	}
	time.Sleep(after)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
