package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestQueriesThatHitTheirLimitsFail(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	r := newRows(t, s)
	r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: noon().UnixMicro()})
	r.insert()
	_, err := store.NewReader(s, store.QueryLimits{MaxMemoryBytes: 1}).Calls(t.Context(), store.CallFilter{}, nil, 1)
	if !errors.Is(err, store.ErrQueryTooLarge) {
		t.Errorf("one byte of memory: %v", err)
	}
	if err := s.Conn().Exec(t.Context(), `INSERT INTO samples (org, call_id, participant_id, stream_id, observed_at, jitter_ms)
		SELECT 'contoso', 'call-1', generateUUIDv4(), generateUUIDv4(), '2026-03-04 12:00:00', number FROM numbers(1000000)`); err != nil {
		t.Fatal(err)
	}
	_, err = store.NewReader(s, store.QueryLimits{Timeout: time.Millisecond}).Load(t.Context(), []store.CallKey{{Org: "contoso", CallID: "call-1"}})
	if !errors.Is(err, store.ErrQueryTimeout) {
		t.Errorf("one millisecond for a million streams: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = store.NewReader(s, store.QueryLimits{}).Calls(ended, store.CallFilter{}, nil, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left: %v", err)
	}
	cfg.Addresses = []string{"127.0.0.1:1"}
	away, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	if _, err = store.NewReader(away, store.QueryLimits{}).Calls(t.Context(), store.CallFilter{}, nil, 1); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("no server: %v", err)
	}
}

// What a client sends is never read as SQL, whatever is in it.
func TestFilterValuesArriveAsTheyAre(t *testing.T) {
	s := storetest.New(t)
	r := newRows(t, s)
	hostile := []string{
		`' OR 1=1 --`, `\' OR 1=1 --`, `\\`, `\`, "tab\tnewline\nnull\x00end", `{text:String}`, `%_`, `";DROP TABLE calls`, "€ 日本 ß", `\N`, `?`, `$1`, `@p1`, `'`,
		"`", `NULL`, `[]`, `]`, `,`,
	}
	for _, text := range hostile {
		env := r.env
		env.CallID = text
		r.Calls.AddStarted(r.origin(), env, &eventpb.CallStarted{StartedAtUs: noon().UnixMicro(), MeetingId: text})
	}
	r.insert()
	reader := store.NewReader(s, store.QueryLimits{})
	for _, text := range hostile {
		page, err := reader.Calls(t.Context(), store.CallFilter{Text: text}, nil, 100)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for _, c := range page {
			if !strings.Contains(strings.ToLower(c.CallID), strings.ToLower(text)) {
				t.Errorf("%q finds %q", text, c.CallID)
			}
		}
		if got := load(t, s, store.CallKey{Org: "contoso", CallID: text}); got[0] == nil || got[0].MeetingID != text {
			t.Errorf("%q: loaded %+v", text, got[0])
		}
		if keys, err := reader.FindCall(t.Context(), text, ""); err != nil || len(keys) != 1 {
			t.Errorf("%q: found %v, %v", text, keys, err)
		}
		for _, f := range []store.CallFilter{{Org: text}, {Label: text}} {
			if page, err := reader.Calls(t.Context(), f, nil, 100); err != nil || len(page) != 0 {
				t.Errorf("%+v finds %v, %v", f, page, err)
			}
		}
	}
	if all, err := reader.Calls(t.Context(), store.CallFilter{}, nil, 100); err != nil || len(all) != len(hostile) {
		t.Errorf("%d calls are left of %d, %v", len(all), len(hostile), err)
	}
}
