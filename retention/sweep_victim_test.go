package retention_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// sweepVictimEnv makes a second run of the test binary a sweeper that is there to be killed.
const sweepVictimEnv = "ANTEROOM_TEST_SWEEP_VICTIM"

// sweepVictim is what such a sweeper does.
type sweepVictim struct {
	Store store.Config
	// Password apart: it is no part of a configuration that is printed.
	Password string
	Key      []byte
	Files    string
	Now      time.Time
	// Step is after which it kills itself, the Nth time that it comes there.
	Step string
	Nth  int
}

// sweepVictimMain is the victim's main; it returns at once in any other process.
func sweepVictimMain() {
	plan := os.Getenv(sweepVictimEnv)
	if plan == "" {
		return
	}
	var v sweepVictim
	if err := json.Unmarshal([]byte(plan), &v); err != nil {
		panic(err)
	}
	if err := v.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "victim:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (v sweepVictim) run(ctx context.Context) error {
	v.Store.Password = v.Password
	s, err := store.Open(v.Store)
	if err != nil {
		return err
	}
	sweeper, err := retention.NewSweeper(sweepConfig(), retention.SweeperDeps{
		Region: "emea", Store: s, IDKey: v.Key, Files: folderFiles(v.Files), MaxDecisionAge: -1, Preempt: true,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	n := 0
	sweeper.OnStep(func(step string) {
		if step != v.Step {
			return
		}
		if n++; n == v.Nth {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	r, err := sweeper.Sweep(ctx, v.Now, false)
	if err == nil && r.Partial {
		err = fmt.Errorf("left undone: %q", r.Problems)
	}
	return errors.Join(err, sweeper.Close(ctx))
}

// folderFiles are recordings as files of a folder, by id.
type folderFiles string

func (f folderFiles) Delete(_ context.Context, _ string, _, recording uuid.UUID) error {
	return os.RemoveAll(filepath.Join(string(f), recording.String()))
}
