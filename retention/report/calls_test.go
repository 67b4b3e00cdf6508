package report

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

func TestReportsOfCalls(t *testing.T) {
	w := newWorld(t)
	began := at(1)
	w.summary("ended", began, "complete", "poor", store.SummaryPerson{ID: numbered(5, 1), UserID: "ada", Label: "=Ada"}, store.SummaryPerson{ID: numbered(5, 2), Label: "Anonymous"})
	w.summary("good", began.Add(time.Minute), "complete", "good", store.SummaryPerson{ID: numbered(5, 3), Label: "Anonymous"})
	// As summaries of calls that run are: without guests (rule D3).
	w.summary("runs", began.Add(2*time.Minute), "running", "good", store.SummaryPerson{ID: numbered(5, 1), UserID: "ada", Label: "=Ada"})
	w.summary("earlier", at(0).Add(-24*time.Hour), "complete", "poor")
	w.makes()
	for _, tc := range []struct {
		kind   Kind
		filter *CallsFilter
		column string
		want   []string
	}{
		{Calls, nil, "call_id", []string{"ended", "good", "runs"}},
		{Calls, &CallsFilter{Verdict: "poor"}, "call_id", []string{"ended"}},
		{Calls, &CallsFilter{User: "ada"}, "call_id", []string{"ended", "runs"}},
		{Participants, nil, "participant", []string{"=Ada", "Anonymous", "Anonymous", "=Ada"}},
		{Streams, &CallsFilter{Verdict: "poor"}, "participant", []string{"=Ada", "Anonymous"}},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			r := asked()
			r.Kind, r.Formats, r.Filter = tc.kind, Formats(), tc.filter
			b := w.make(r)
			var got []string
			for _, row := range b.values() {
				got = append(got, row[tc.column].(string))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			records, err := csv.NewReader(strings.NewReader(string(b.files[proof.DigestsCSVFile]))).ReadAll()
			if err != nil || len(records) != 1+len(tc.want) {
				t.Errorf("CSV has %d records: %v", len(records), err)
			}
			if strings.Contains(string(b.files[proof.DigestsCSVFile]), ",=") {
				t.Error("a cell of the CSV can be taken for a formula")
			}
			if _, ok := b.files[proof.DigestsParquetFile]; !ok {
				t.Error("there is no Parquet")
			}
			w.verify(b)
			if b.Query.Calls == nil || b.Query.Calls.Profile != DefaultProfile || string(b.Kind) != string(tc.kind) {
				t.Errorf("the manifest does not say what was asked for: %+v", b.Query)
			}
		})
	}
}

// summary writes the summary of a call, with a stream of each participant.
func (w *world) summary(id string, at time.Time, state, verdict string, people ...store.SummaryPerson) {
	w.t.Helper()
	c := store.CallSummary{
		CallKey: store.CallKey{Org: "contoso", CallID: id}, At: at, Region: "emea", Kind: "meeting", State: state, Verdict: verdict,
		Rating: "unknown", StartedAt: &at, People: people, Participants: uint32(len(people)), //nolint:gosec // few
	}
	jitter := 12.5
	for _, p := range people {
		c.Streams = append(c.Streams, store.SummaryStream{
			ID: uuid.New(), ParticipantID: p.ID, Media: "audio", Direction: "inbound", Verdict: verdict, Counted: true, JitterMs: &jitter,
		})
	}
	w.summaryOf(&c)
}

func (w *world) summaryOf(c *store.CallSummary) {
	w.t.Helper()
	c.Profile, c.Version = DefaultProfile, 1
	if c.Verdict == "" {
		c.Verdict, c.Rating = "good", "unknown"
	}
	if err := w.store.WriteSummaries(w.t.Context(), []store.CallSummary{*c}); err != nil {
		w.t.Fatal(err)
	}
}

// Each filter finds one of two calls that differ in everything.
func TestReportsOfCallsAreNarrowedAsTheirListIs(t *testing.T) {
	w := newWorld(t)
	w.summaryOf(&store.CallSummary{
		CallKey: store.CallKey{Org: "contoso", CallID: "wanted"}, At: at(1), Region: "emea", Source: store.ParseSourceKind("acs"), Kind: "p2p", State: "complete",
		DurationMs: new(int64(90_000)),
		People:     []store.SummaryPerson{{ID: numbered(5, 1), UserID: "ada", Label: "Ada", Client: "chrome", ClientVersion: "132", Network: "192.0.2.0/24"}},
	})
	w.summaryOf(&store.CallSummary{
		CallKey: store.CallKey{Org: "contoso", CallID: "other"}, At: at(1), Region: "amer", Source: store.ParseSourceKind("media"), Kind: "meeting", State: "running",
		DurationMs: new(int64(10_000)),
		People:     []store.SummaryPerson{{ID: numbered(5, 2), UserID: "bob", Label: "Bob", Client: "chrome", ClientVersion: "131", Network: "198.51.100.0/24"}},
	})
	w.makes()
	for name, filter := range map[string]CallsFilter{
		"source":            {Source: "acs"},
		"kind":              {CallKind: "p2p"},
		"state":             {State: "complete"},
		"client_version":    {Client: "chrome", ClientVersion: "132"},
		"region":            {Region: "emea"},
		"subnet":            {Subnet: "192.0.2.0/24"},
		"participant_label": {Label: "aDA"},
		"q":                 {Text: "WANT"},
		"support code":      {Text: "wanted/" + evidence.ID(numbered(5, 1))},
		"min_duration_s":    {MinDurationS: new(int64(60))},
	} {
		t.Run(name, func(t *testing.T) {
			r := asked()
			r.Kind, r.Formats, r.Filter = Calls, nil, &filter
			var got []any
			b := w.make(r)
			for _, row := range b.values() {
				got = append(got, row["call_id"])
			}
			if diff := cmp.Diff([]any{"wanted"}, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			w.verify(b)
		})
	}
	t.Run("max_duration_s", func(t *testing.T) {
		r := asked()
		r.Kind, r.Formats, r.Filter = Calls, nil, &CallsFilter{MaxDurationS: new(int64(60))}
		if rows := w.make(r).values(); len(rows) != 1 || rows[0]["call_id"] != "other" {
			t.Errorf("rows %v", rows)
		}
	})
}
