package app_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/internal/app"
)

func TestStopOrder(t *testing.T) {
	a := app.New(slog.New(slog.DiscardHandler))
	var order []string
	stop := func(name string, err error) {
		a.OnStop(name, func(context.Context) error {
			order = append(order, name)
			return err
		})
	}
	stop("lock", nil)
	stop("broker", errors.New("still open"))
	stop("store", nil)
	a.Go("ingest", func(ctx context.Context) error {
		<-ctx.Done()
		order = append(order, "ingest")
		return ctx.Err()
	})
	stop("api", errors.New("a client hangs"))

	err := a.Stop(app.DefaultStopTimeout)
	if diff := cmp.Diff([]string{"api", "ingest", "store", "broker", "lock"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("stop api: a client hangs\nstop broker: still open", err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if err := a.Stop(app.DefaultStopTimeout); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func TestStopLeavesBehindWhatOutlastsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := app.New(slog.New(slog.DiscardHandler))
		release := make(chan struct{})
		defer close(release)
		called := false
		a.OnStop("lock", func(context.Context) error { called = true; return nil })
		a.OnStop("deaf", func(context.Context) error { <-release; return nil })
		began := time.Now()
		err := a.Stop(10 * time.Second)
		if took := time.Since(began); took != 10*time.Second { // the bubble's clock
			t.Errorf("stop took %s, want 10s", took)
		}
		if called {
			t.Error("a step below the one that hangs was stopped under it")
		}
		for _, want := range []string{"stop deaf: it did not end in time", "stop lock: no time was left for it"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
	})
}

func TestWait(t *testing.T) {
	broken := errors.New("disk full")
	for _, tt := range []struct {
		name string
		run  func(context.Context) error
		want string
	}{
		{"a component fails", func(context.Context) error { return broken }, "ingest: disk full"},
		{"a component ends unasked", func(context.Context) error { return nil }, "ingest: it ended unasked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := app.New(slog.New(slog.DiscardHandler))
			a.Go("ingest", tt.run)
			err := a.Wait(t.Context())
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if err := a.Stop(app.DefaultStopTimeout); err != nil {
				t.Errorf("stop repeats the failure: %v", err)
			}
		})
	}
	t.Run("the context ends", func(t *testing.T) {
		a := app.New(slog.New(slog.DiscardHandler))
		a.Go("ingest", func(ctx context.Context) error { <-ctx.Done(); return errors.New("flush failed") })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Wait(ctx); err != nil {
			t.Errorf("wait: %v", err)
		}
		if err := a.Stop(app.DefaultStopTimeout); err == nil || err.Error() != "stop ingest: flush failed" {
			t.Errorf("got %v, want the component's own error", err)
		}
	})
}

func TestHealth(t *testing.T) {
	a := app.New(slog.New(slog.DiscardHandler))
	a.OnCheck("kafka", func(context.Context) error { return errors.New("no broker answers") })
	a.OnCheck("clickhouse", func(context.Context) error { return nil })
	want := []app.Check{{Name: "kafka", Reason: "no broker answers"}, {Name: "clickhouse", OK: true}}
	if diff := cmp.Diff(want, a.Health(t.Context())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
