package exchange

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/anteroom/anteroom/policy"
)

// Whatever an agent sends as its decision log, it is refused as a whole or gives decisions that can be stored: each has an id, a time that can be, an effect, and
// no input that a policy here may not see.
func FuzzReadLog(f *testing.F) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for _, seed := range []string{
		`[]`, `[{}]`, `[{"decision_id":"a","path":"` + policy.DecisionPath + `","timestamp":"2026-03-04T11:59:00Z","input":{},"result":{"effect":"allow","reasons":["x"]}}]`,
		`[{"decision_id":"a","path":"/` + policy.DecisionPath + `","timestamp":"2026-03-04T11:59:00Z","metrics":{"timer_server_handler_ns":-1e300},"error":{"code":"x"}}]`,
		`[{"decision_id":"a","path":"` + policy.DecisionPath + `","timestamp":"2026-03-04T11:59:00Z","metrics":{"timer_rego_query_eval_ns":1e300}}]`,
		strings.Repeat("[", 5000), `[{"input":` + strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat("}", 5000) + `}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, taken, err := readLog(bytes.NewReader(body), "contoso", now)
		if err != nil {
			if !errors.Is(err, errLog) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		if taken.Ignored < 0 || len(list) > maxEntries {
			t.Fatalf("%+v of %d", taken, len(list))
		}
		for _, d := range list {
			if d.At.After(now.Add(maxAhead)) || d.At.Before(now.Add(-maxBehind)) || d.Effect == "" || d.Took < 0 || !utf8.ValidString(d.Revision) || !utf8.ValidString(d.Input) {
				t.Fatalf("%+v", d)
			}
			if d.Input != "" {
				if _, err := policy.ParseInput([]byte(d.Input)); err != nil {
					t.Fatalf("an input that can't be read again: %v", err)
				}
			}
		}
	})
}
