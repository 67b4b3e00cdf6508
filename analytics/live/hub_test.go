package live_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/analytics/live"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// looks counts how often it is asked, and answers with as many calls as it is told.
type looks struct {
	asked atomic.Int64
	calls atomic.Int64
	fails atomic.Bool
}

func (l *looks) LiveRecords(_ context.Context, f store.LiveFilter) ([]*store.Record, error) {
	l.asked.Add(1)
	if l.fails.Load() {
		return nil, store.ErrQueryTimeout
	}
	var out []*store.Record
	for i := range l.calls.Load() {
		out = append(out, &store.Record{CallFacts: store.CallFacts{CallKey: store.CallKey{Org: f.Org, CallID: fmt.Sprint("call-", i)}, FirstSeen: f.Now}})
	}
	return out, nil
}

func hub(t *testing.T, reader *looks, cfg live.Config) *live.Hub {
	t.Helper()
	profiles, err := quality.NewProfiles(quality.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	profile, _ := profiles.Get(quality.RealTime)
	h, err := live.New(cfg, live.Deps{Reader: reader, Profile: profile, Encode: func(calls []*analytics.Call) ([]byte, error) { return fmt.Append(nil, len(calls)), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// All who watch an organisation share its looks, are told of changes only, and of failures as such.
func TestListenersShareOnePoll(t *testing.T) {
	reader := &looks{}
	h := hub(t, reader, live.Config{Interval: time.Hour, Streams: 101, StreamsPerUser: 100})
	var last *live.Update
	for i := range 100 {
		l, err := h.Listen("contoso", "ada")
		if err != nil {
			t.Fatal(err)
		}
		u, err := l.Next(t.Context(), nil)
		if err != nil || string(u.Calls) != "0" || u.ID == "" || (i > 0 && u != last) {
			t.Fatalf("%+v, %v", u, err)
		}
		last = u
		if l.Seen() != u.At {
			t.Errorf("seen at %s, looked at %s", l.Seen(), u.At)
		}
	}
	if n := reader.asked.Load(); n != 1 {
		t.Errorf("%d looks for 100 listeners", n)
	}
	if _, err := h.Listen("contoso", "ada"); !errors.Is(err, live.ErrTooMany) {
		t.Errorf("the user's 101st: %v", err)
	}
	other, err := h.Listen("fabrikam", "bob")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Next(t.Context(), nil); err != nil || reader.asked.Load() != 2 {
		t.Errorf("%v, %d looks for two organisations", err, reader.asked.Load())
	}
	if _, err := h.Listen("fabrikam", "eve"); !errors.Is(err, live.ErrTooMany) {
		t.Errorf("the process's 102nd: %v", err)
	}
	other.Close()
	other.Close()
	if _, err := h.Listen("fabrikam", "eve"); err != nil {
		t.Errorf("after one has gone: %v", err)
	}
}

func TestListenersAreToldOfChanges(t *testing.T) {
	reader := &looks{}
	h := hub(t, reader, live.Config{Interval: time.Millisecond})
	l, err := h.Listen("contoso", "ada")
	if err != nil {
		t.Fatal(err)
	}
	next := func(last *live.Update) *live.Update {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		u, err := l.Next(ctx, last)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	first := next(nil)
	reader.calls.Store(2)
	second := next(first)
	if string(second.Calls) != "2" || second.ID == first.ID {
		t.Errorf("%s %s after %s %s", second.ID, second.Calls, first.ID, first.Calls)
	}
	reader.fails.Store(true)
	failed := next(second)
	if !errors.Is(failed.Err, store.ErrQueryTimeout) || failed.Calls != nil {
		t.Errorf("a failure is %+v", failed)
	}
	reader.fails.Store(false)
	for failed.Err != nil {
		failed = next(failed)
	}
	if failed.ID != second.ID {
		t.Errorf("the same calls have another id: %s, %s", failed.ID, second.ID)
	}
	h.Close()
	if _, err := l.Next(t.Context(), failed); !errors.Is(err, live.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := h.Listen("contoso", "ada"); !errors.Is(err, live.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
