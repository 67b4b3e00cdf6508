package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// DefaultStopTimeout bounds the whole stop: ten seconds, less what the process itself needs to end.
const DefaultStopTimeout = 9500 * time.Millisecond

// App is what has been started so far. It is safe for concurrent use.
type App struct {
	log *slog.Logger

	mu     sync.Mutex
	steps  []step  // guarded by mu; stopped from the end
	checks []named // guarded by mu

	failed chan error // the first component that ended by itself
}

type step struct {
	name string
	stop func(context.Context) error
}

// New makes an App in which nothing runs yet.
func New(log *slog.Logger) *App { return &App{log: log, failed: make(chan error, 1)} }

// OnStop adds a step: stop is called once everything that was added later has ended. Its context ends at the deadline.
func (a *App) OnStop(name string, stop func(context.Context) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.steps = append(a.steps, step{name, stop})
}

// Go runs a component and adds the step that ends it: its context is cancelled and its return awaited. A component that
// returns before, with or without an error, ends Wait.
func (a *App) Go(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("it ended unasked")
			}
			a.Fail(fmt.Errorf("%s: %w", name, err))
			err = nil // reported by Wait; the stop has nothing to add
		}
		done <- err
	}()
	a.OnStop(name, func(stopCtx context.Context) error {
		cancel()
		select {
		case err := <-done:
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case <-stopCtx.Done():
			return stopCtx.Err()
		}
	})
}

// Fail ends Wait with an error, for parts that notice their own end by other means. The first error counts.
func (a *App) Fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// Wait blocks until the context ends, then it answers nil, or until a component ends by itself, then it says which and why.
func (a *App) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.failed:
		return err
	}
}

// While calls do with a context that ends, and fails, when a component ends by itself.
func (a *App) While(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-a.failed:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	err := do(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// Stop calls all steps, the last added first, and joins their errors. When the timeout is over it returns at once and names
// what was left behind. A second call finds nothing to stop.
func (a *App) Stop(timeout time.Duration) error {
	a.mu.Lock()
	steps := a.steps
	a.steps = nil
	a.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var errs []error
	for i, s := range slices.Backward(steps) {
		began := time.Now()
		err := runStep(ctx, s)
		if err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
		a.log.DebugContext(ctx, "step stopped", "step", s.name, "took", time.Since(began), "ok", err == nil)
		if ctx.Err() != nil {
			for _, left := range slices.Backward(steps[:i]) {
				errs = append(errs, fmt.Errorf("stop %s: no time was left for it", left.name))
			}
			break
		}
	}
	return errors.Join(errs...)
}

// runStep calls one step and gives up on it when the deadline passes, whether or not the step looks at its context.
func runStep(ctx context.Context, s step) error {
	done := make(chan error, 1)
	go func() { done <- s.stop(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select { // it may have heeded the deadline just now
	case err := <-done:
		return err
	default:
		return fmt.Errorf("it did not end in time: %w", ctx.Err())
	}
}
