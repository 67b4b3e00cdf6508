package acs_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/ingest/acs"
)

// respell writes a value again with field names in random case, numbers and their text exchanged, and nulls spelt out.
func respell(t *rapid.T, value any) any {
	switch v := value.(type) {
	case map[string]any:
		again := make(map[string]any, len(v))
		for _, name := range sortedNames(v) {
			again[recase(t, name)] = respell(t, v[name])
		}
		if rapid.Bool().Draw(t, "null") {
			again["somethingElse"] = rapid.SampledFrom([]any{nil, "null", "Null", " "}).Draw(t, "nothing")
		}
		return again
	case []any:
		again := make([]any, len(v))
		for i := range v {
			again[i] = respell(t, v[i])
		}
		return again
	case json.Number:
		if rapid.Bool().Draw(t, "as text") {
			return v.String()
		}
		return v
	case string:
		if number := json.Number(v); isNumber(v) && rapid.Bool().Draw(t, "as number") {
			return number
		}
		return strings.Repeat(" ", rapid.IntRange(0, 2).Draw(t, "blanks")) + v
	case nil:
		return rapid.SampledFrom([]any{nil, "null", ""}).Draw(t, "null")
	}
	return value
}

func sortedNames(m map[string]any) []string {
	text, _ := json.Marshal(m)
	dec := json.NewDecoder(strings.NewReader(string(text)))
	_, _ = dec.Token()
	var names []string
	var skip json.RawMessage
	for dec.More() {
		key, _ := dec.Token()
		names = append(names, key.(string)) //nolint:forcetypeassert // keys are strings
		_ = dec.Decode(&skip)
	}
	return names
}

func recase(t *rapid.T, name string) string {
	switch rapid.IntRange(0, 2).Draw(t, "case") {
	case 0:
		return strings.ToLower(name)
	case 1:
		return strings.ToUpper(name)
	}
	return name
}

// isNumber tells the text of a JSON number.
func isNumber(s string) bool {
	var n json.Number
	return s != "" && s[0] != '"' && json.Unmarshal([]byte(s), &n) == nil && n.String() == s
}

// However a message is spelt, the same events come of it, ids and sources included.
func TestSpellingDoesNotMatter(t *testing.T) {
	data, opt := sample(t), options(t)
	want, err := acs.DecodeFile(data, opt)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		dec := json.NewDecoder(strings.NewReader(string(data)))
		dec.UseNumber()
		var tree any
		if err := dec.Decode(&tree); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(respell(t, tree))
		if err != nil {
			t.Fatal(err)
		}
		got, err := acs.DecodeFile(text, opt)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(want.Events, got.Events, protocmp.Transform()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// Whatever bytes come: no panic, the same answer twice, only valid events, and errors that quote nothing.
func FuzzDecodeMessage(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte(envelope("CallSummaryUpdates", summaryProperties+`,"CallUpdatesVersion":"1"`)))
	f.Add([]byte(`[{"records":[` + envelope("CallDiagnostics", streamProperties) + `]},7,null,"x",[]]`))
	f.Add([]byte(envelope("CallClientOperations", `"CallId":"c","OperationName":"UserFacingDiagnostics","OperationPayload":"{\"DiagnosticChanged\":\"x\"}"`)))
	f.Add([]byte(envelope("CallSurvey", `"CallId":"c","OverallRatingScore":5,"AudioIssues":"Echo,,x"`)))
	opt := options(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		events, bad, err := acs.DecodeMessage(data, opt)
		again, badAgain, errAgain := acs.DecodeMessage(data, opt)
		if (err == nil) != (errAgain == nil) || len(events) != len(again) || len(bad) != len(badAgain) {
			t.Fatal("decoding again gives something else")
		}
		seen := map[string]bool{}
		for i, e := range events {
			if err := event.Validate(e); err != nil {
				t.Fatal(err)
			}
			if seen[e.Id] {
				t.Fatal("an id twice")
			}
			seen[e.Id] = true
			if diff := cmp.Diff(e, again[i], protocmp.Transform()); diff != "" {
				t.Fatal(diff)
			}
		}
		if result, err := acs.DecodeFile(data, opt); err == nil && len(bad) > 0 {
			t.Fatalf("a file with %d bad records gave %d events", len(bad), len(result.Events))
		}
	})
}

func BenchmarkDecodeMessage(b *testing.B) {
	data, opt := sample(b), options(b)
	const records = 8
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := acs.DecodeMessage(data, opt); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*records/b.Elapsed().Seconds(), "records/s")
}
