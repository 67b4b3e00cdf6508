package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// restartPause is the pause before the first new start; it doubles up to restartPauseMax.
	restartPause    = 100 * time.Millisecond
	restartPauseMax = 5 * time.Second
	// restartFailures is how many starts in a row may fail before the supervision gives up.
	restartFailures = 5
	// steadyAfter is how long an engine has to run for its end to count as a new trouble, after which the pauses begin anew.
	steadyAfter = time.Minute
)

// Supervised is an engine that is started again, on the same folder, ports and password, when it ends by itself. Clients dial on: they find
// nobody for as long as it takes.
type Supervised struct {
	log *slog.Logger
	// cfg has the ports and the password of the first start.
	cfg    ClickHouseConfig
	cancel context.CancelFunc
	// done is closed when nothing is started any more.
	done   chan struct{}
	failed chan error

	mu      sync.Mutex
	current *ClickHouse // guarded by mu; nil after it ended by itself and before the next one is ready

	once   sync.Once
	closed error
}

// SuperviseClickHouse starts an engine as StartClickHouse does and keeps it running until Close.
func SuperviseClickHouse(ctx context.Context, cfg ClickHouseConfig, log *slog.Logger) (*Supervised, error) {
	first, err := StartClickHouse(ctx, cfg)
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.Background())
	s := &Supervised{
		log: log, cfg: first.cfg, cancel: cancel, current: first,
		done: make(chan struct{}), failed: make(chan error, 1),
	}
	go func() {
		defer close(s.done)
		s.supervise(running, first)
	}()
	return s, nil
}

func (s *Supervised) supervise(ctx context.Context, engine *ClickHouse) {
	pause := restartPause
	for {
		began := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-engine.Done():
		}
		if ctx.Err() != nil {
			return // it may have been told to end together with us, by a signal to all processes of a container
		}
		s.log.ErrorContext(ctx, "ClickHouse ended by itself and is started again", "error", engine.Err(), "ran", time.Since(began).Round(time.Millisecond))
		_ = engine.Close() // frees the terminal; why it ended has just been said
		s.set(nil)
		if time.Since(began) > steadyAfter {
			pause = restartPause
		}
		var err error
		if engine, pause, err = s.restart(ctx, pause); err != nil {
			if ctx.Err() == nil {
				s.failed <- err
			}
			return
		}
		s.set(engine)
		s.log.InfoContext(ctx, "ClickHouse is back", "pid", engine.Pid())
	}
}

// restart starts the engine until it works, and returns the pause that comes before the next start.
func (s *Supervised) restart(ctx context.Context, pause time.Duration) (*ClickHouse, time.Duration, error) {
	for failures := 1; ; failures++ {
		select {
		case <-ctx.Done():
			return nil, pause, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, restartPauseMax)
		engine, err := StartClickHouse(ctx, s.cfg)
		if err == nil || ctx.Err() != nil {
			return engine, pause, err
		}
		if failures == restartFailures {
			return nil, pause, fmt.Errorf("ClickHouse ended by itself, and %d starts in a row failed: %w", failures, err)
		}
		s.log.ErrorContext(ctx, "ClickHouse does not start", "error", err, "failures", failures, "next_try_in", pause)
	}
}

func (s *Supervised) set(engine *ClickHouse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = engine
}

func (s *Supervised) get() *ClickHouse {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Addr is host:port of the native protocol, the same through all starts.
func (s *Supervised) Addr() string { return address(s.cfg.NativePort) }

// User is the service user's name. It may do everything.
func (s *Supervised) User() string { return clickHouseUser }

// Password is the service user's.
func (s *Supervised) Password() string { return s.cfg.Password }

// Pid is the engine's process id; 0 while none runs.
func (s *Supervised) Pid() int {
	if engine := s.get(); engine != nil {
		return engine.Pid()
	}
	return 0
}

// Failed answers the error with which the supervision gave up: five starts in a row failed. It answers at most once.
func (s *Supervised) Failed() <-chan error { return s.failed }

// Close ends the engine that runs, or the start that is under way, as ClickHouse.Close does.
func (s *Supervised) Close() error {
	s.once.Do(func() {
		s.cancel()
		<-s.done
		if engine := s.get(); engine != nil {
			s.closed = engine.Close()
		}
	})
	return s.closed
}
