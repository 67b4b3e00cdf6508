package analytics_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

const (
	fromMedia = 1
	fromAzure = 4
)

// noon is when the calls of these tests start.
func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// rig is a store with what is needed to fill it and to sum up.
type rig struct {
	*store.Batch
	t      *testing.T
	store  *store.Store
	sql    *storetest.SQL
	offset int64
	env    store.Envelope
	now    time.Time
}

func newRig(t *testing.T) *rig {
	s, cfg := storetest.NewConfig(t)
	r := &rig{Batch: store.NewBatch(), t: t, store: s, sql: storetest.NewSQL(t, cfg), now: noon().Add(24 * time.Hour)}
	r.Reset("events", 0)
	r.env = store.Envelope{Org: "contoso", Region: "emea", CallID: "call-1", SourceKind: fromMedia, ObservedAt: noon()}
	return r
}

func (r *rig) origin() store.Origin {
	r.offset++
	return store.Origin{Offset: r.offset}
}

func (r *rig) insert() {
	r.t.Helper()
	if err := r.store.Insert(r.t.Context(), r.Batch, uuid.NewString()); err != nil {
		r.t.Fatal(err)
	}
	r.Reset("events", 0)
}

func id(b byte) []byte { return bytes.Repeat([]byte{b}, 16) }

func (r *rig) start(at time.Time) {
	r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: at.UnixMicro(), Kind: eventpb.CallKind_CALL_KIND_MEETING})
}

func (r *rig) end(at time.Time) {
	r.Calls.AddEnded(r.origin(), r.env, &eventpb.CallEnded{EndedAtUs: at.UnixMicro()})
}

func (r *rig) join(person byte, who store.Who) {
	r.Participants.AddJoined(r.origin(), r.env, who, &eventpb.ParticipantJoined{ParticipantId: id(person), JoinedAtUs: noon().UnixMicro(), ClientFamily: "Chrome", ClientVersion: "140"})
}

func (r *rig) stream(person, stream byte, jitterMs float64) { r.streamed(person, stream, 1, jitterMs) }

func (r *rig) sent(person, stream byte, jitterMs float64) { r.streamed(person, stream, 2, jitterMs) }

func (r *rig) streamed(person, stream byte, way eventpb.Direction, jitterMs float64) {
	r.Streams.Add(r.origin(), r.env, &eventpb.StreamEnded{
		ParticipantId: id(person), StreamId: id(stream), Direction: way, Media: 1, Packets: proto.Uint64(1000), JitterMsAvg: &jitterMs,
	})
}

func (r *rig) summariser(cfg quality.Config) *analytics.Summariser {
	r.t.Helper()
	profiles, err := quality.NewProfiles(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	m, err := analytics.NewSummariser(r.store, profiles, analytics.DefaultConfig(), func() time.Time { return r.now }, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

func (r *rig) pass(m *analytics.Summariser) int {
	r.t.Helper()
	n, err := m.Pass(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// rows are the calls that there are under a profile, each in a line.
func (r *rig) rows(profile string) string {
	r.t.Helper()
	return strings.Join(r.sql.Texts(`SELECT concat(call_id, ' at ', formatDateTime(at, '%d %H:%i'), ' ', toString(state), ' ', toString(verdict), ' good ', toString(good),
		' poor ', toString(poor), ' people ', toString(length(people.label)), '/', toString(participants), ' anonymous ', toString(anonymous), ' streams ',
		toString(length(streams.stream_id))) FROM call_summaries FINAL WHERE NOT gone AND profile = $1 ORDER BY at, call_id`, profile), "\n")
}

func TestSummaryOfACall(t *testing.T) {
	r := newRig(t)
	r.start(noon())
	r.join(1, store.Who{Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada"})
	r.join(2, store.Who{Identity: store.Guest})
	r.stream(1, 10, 12)
	r.stream(2, 11, 36)
	r.end(noon().Add(30 * time.Minute))
	r.insert()
	m := r.summariser(quality.DefaultConfig())
	if n := r.pass(m); n != 1 {
		t.Errorf("%d calls were summed up, want 1", n)
	}
	if diff := cmp.Diff("call-1 at 04 12:00 complete poor good 1 poor 1 people 2/2 anonymous 1 streams 2", r.rows(quality.CallDiagnostics)); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	for _, profile := range quality.ProfileNames() {
		if r.rows(profile) == "" {
			t.Errorf("there is none under %s", profile)
		}
	}
	if n := r.pass(m); n != 0 {
		t.Errorf("nothing changed, and %d calls were summed up again", n)
	}
	// Late rows make it new.
	r.stream(1, 12, 50)
	r.insert()
	if n := r.pass(m); n != 1 {
		t.Errorf("%d calls were summed up, want the one with a late stream", n)
	}
	if diff := cmp.Diff("call-1 at 04 12:00 complete poor good 1 poor 2 people 2/2 anonymous 1 streams 3", r.rows(quality.CallDiagnostics)); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

// A replayed batch costs one more look, and changes nothing.
func TestReplayChangesNothing(t *testing.T) {
	r := newRig(t)
	r.start(noon())
	r.join(1, store.Who{Identity: store.OrgUser, UserID: "ada"})
	r.stream(1, 10, 12)
	for range 3 {
		if err := r.store.Insert(t.Context(), r.Batch, "the same"); err != nil {
			t.Fatal(err)
		}
	}
	m := r.summariser(quality.DefaultConfig())
	r.pass(m)
	before := r.rows(quality.CallDiagnostics)
	if err := r.store.Insert(t.Context(), r.Batch, "the same"); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(time.Hour)
	r.pass(m)
	if diff := cmp.Diff(before, r.rows(quality.CallDiagnostics)); diff != "" || before == "" {
		t.Errorf("after the replay (-before +after):\n%s", diff)
	}
}

// When it turns out that a call began at another time, in another month even, there is one row of it all the same.
func TestStartThatMovesLeavesNoSecondRow(t *testing.T) {
	r := newRig(t)
	r.env.SourceKind = fromAzure
	r.stream(1, 10, 12)
	r.insert()
	m := r.summariser(quality.DefaultConfig())
	r.pass(m)
	for n, at := range []time.Time{noon().Add(-4 * 24 * time.Hour), noon().Add(-time.Hour), noon(), noon().Add(-4 * 24 * time.Hour)} {
		r.env.Revision = uint32(n + 1)
		r.start(at)
		r.insert()
		r.pass(m)
		want := fmt.Sprintf("call-1 at %s complete good good 1 poor 0 people 1/1 anonymous 1 streams 1", at.Format("02 15:04"))
		if diff := cmp.Diff(want, r.rows(quality.CallDiagnostics)); diff != "" {
			t.Errorf("after it moved to %v (-want +got):\n%s", at, diff)
		}
		// A window that ends before the place reads no other partition.
		if got := r.sql.Count("SELECT count() FROM call_summaries FINAL WHERE NOT gone AND profile = $1 AND at >= $2 AND at <= $2", quality.CallDiagnostics, at); got != 1 {
			t.Errorf("a window of that moment has %d rows", got)
		}
		if got := r.sql.Count("SELECT count() FROM call_summaries FINAL WHERE NOT gone AND profile = $1 AND at != $2", quality.CallDiagnostics, at); got != 0 {
			t.Errorf("%d rows are elsewhere", got)
		}
	}
}

// Whatever a summariser was killed between, the next one finishes it.
func TestKilledInBetween(t *testing.T) {
	for name, cut := range map[string]func(*rig, []store.Build) error{
		"before anything is noted": func(*rig, []store.Build) error { return nil },
		"after it was noted where the row goes": func(r *rig, b []store.Build) error {
			_, err := r.store.BeginBuilds(r.t.Context(), b)
			return err
		},
		"after the row was written": func(r *rig, b []store.Build) error {
			begun, err := r.store.BeginBuilds(r.t.Context(), b)
			if err != nil {
				return err
			}
			return r.store.WriteSummaries(r.t.Context(), []store.CallSummary{{CallKey: begun[0].CallKey, Profile: quality.CallDiagnostics, At: begun[0].At, Version: begun[0].Version}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.env.SourceKind = fromAzure
			r.start(noon())
			r.stream(1, 10, 12)
			r.insert()
			m := r.summariser(quality.DefaultConfig())
			r.pass(m)
			r.env.Revision = 1
			r.start(noon().Add(time.Hour))
			r.insert()
			found, _, err := r.store.OutdatedCalls(t.Context(), store.Outdated{Limit: 10})
			if err != nil || len(found) != 1 {
				t.Fatalf("out of date: %v, %v", found, err)
			}
			if err := cut(r, []store.Build{{OutdatedCall: found[0], At: noon().Add(time.Hour)}}); err != nil {
				t.Fatal(err)
			}
			r.pass(r.summariser(quality.DefaultConfig()))
			if diff := cmp.Diff("call-1 at 04 13:00 complete good good 1 poor 0 people 1/1 anonymous 1 streams 1", r.rows(quality.CallDiagnostics)); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
		})
	}
}

// Of two summarisers, the slower of which knows an older start, one row remains, whoever writes last.
func TestTwoSummarisers(t *testing.T) {
	for _, slowerWritesLast := range []bool{false, true} {
		r := newRig(t)
		r.env.SourceKind = fromAzure
		r.start(noon())
		r.stream(1, 10, 12)
		r.insert()
		older, _, err := r.store.OutdatedCalls(t.Context(), store.Outdated{Limit: 10})
		if err != nil || len(older) != 1 {
			t.Fatalf("out of date: %v, %v", older, err)
		}
		r.env.Revision = 1
		r.start(noon().Add(time.Hour))
		r.insert()
		slow := func() {
			begun, err := r.store.BeginBuilds(t.Context(), []store.Build{{OutdatedCall: older[0], At: noon()}})
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range begun {
				rows := []store.CallSummary{{CallKey: b.CallKey, Profile: quality.CallDiagnostics, At: b.At, Version: b.Version}}
				for _, at := range b.Elsewhere {
					rows = append(rows, store.CallSummary{CallKey: b.CallKey, Profile: quality.CallDiagnostics, At: at, Version: b.Version, Gone: true})
				}
				if err := errors.Join(r.store.WriteSummaries(t.Context(), rows), r.store.FinishBuilds(t.Context(), begun)); err != nil {
					t.Fatal(err)
				}
			}
		}
		m := r.summariser(quality.DefaultConfig())
		if !slowerWritesLast {
			slow()
		}
		r.pass(m)
		if slowerWritesLast {
			slow()
			r.pass(m)
		}
		if diff := cmp.Diff("call-1 at 04 13:00 complete good good 1 poor 0 people 1/1 anonymous 1 streams 1", r.rows(quality.CallDiagnostics)); diff != "" {
			t.Errorf("slower last: %v (-want +got):\n%s", slowerWritesLast, diff)
		}
	}
}

// Two at once, again and again, on calls that change under them.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t)
	r.env.SourceKind = fromAzure
	const calls, rounds = 20, 6
	for round := range rounds {
		for n := range calls {
			r.env.CallID, r.env.Revision = fmt.Sprintf("call-%02d", n), uint32(round)
			r.start(noon().Add(time.Duration(round*n) * time.Minute))
			if round == 0 {
				r.stream(1, 10, 12)
			}
		}
		r.insert()
		ended := make(chan error)
		for range 2 {
			m := r.summariser(quality.DefaultConfig())
			go func() { _, err := m.Pass(t.Context()); ended <- err }()
		}
		if err := errors.Join(<-ended, <-ended); err != nil {
			t.Fatal(err)
		}
	}
	r.pass(r.summariser(quality.DefaultConfig()))
	if got := r.sql.Count("SELECT count() FROM call_summaries FINAL WHERE NOT gone AND profile = 'cqd'"); got != calls {
		t.Errorf("%d rows of %d calls", got, calls)
	}
	for n := range calls {
		at := noon().Add(time.Duration((rounds-1)*n) * time.Minute)
		if got := r.sql.Count("SELECT count() FROM call_summaries FINAL WHERE NOT gone AND profile = 'cqd' AND call_id = $1 AND at = $2", fmt.Sprintf("call-%02d", n), at); got != 1 {
			t.Errorf("call %d has %d rows where it began", n, got)
		}
	}
}

// Other thresholds make other summaries of everything.
func TestProfilesThatChange(t *testing.T) {
	r := newRig(t)
	r.start(noon())
	r.stream(1, 10, 20)
	r.end(noon().Add(time.Minute))
	r.insert()
	r.pass(r.summariser(quality.DefaultConfig()))
	if got := r.rows(quality.CallDiagnostics); !strings.Contains(got, "complete good") {
		t.Errorf("summary %s", got)
	}
	cfg := quality.DefaultConfig()
	cfg.Overrides = quality.Overrides{quality.CallDiagnostics: {quality.AllMedia: {"jitter_ms_avg": 10}}}
	r.pass(r.summariser(cfg))
	if got := r.rows(quality.CallDiagnostics); !strings.Contains(got, "complete poor") {
		t.Errorf("under a stricter profile: %s", got)
	}
}

func TestRule_D3_GuestsOfARunningMeetingAreInNoSummary(t *testing.T) {
	r := newRig(t)
	r.start(noon())
	r.join(1, store.Who{Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada"})
	r.join(2, store.Who{Identity: store.Guest})
	r.sent(1, 10, 12)
	r.sent(2, 11, 400)   // terrible
	r.stream(1, 12, 400) // as Ada receives it
	r.Timeline.Add(r.origin(), r.env, store.Entry{Participant: id(2), Lane: 5, Kind: store.DiagnosticEntry, Name: "networkSendQuality", Value: "Bad"})
	r.insert()
	m := r.summariser(quality.DefaultConfig())
	r.pass(m)
	for _, profile := range quality.ProfileNames() {
		got := r.rows(profile)
		if want := "people 1/1 anonymous 0 streams 1"; !strings.Contains(got, "running") || !strings.HasSuffix(got, want) || strings.Contains(got, "poor good") {
			t.Errorf("while it runs, under %s: %s", profile, got)
		}
	}
	for column, want := range map[string]uint64{"issues": 0, "poor": 0, "anonymous": 0, "length(reasons)": 0} {
		if got := r.sql.Count("SELECT toUInt64(sum(" + column + ")) FROM call_summaries FINAL WHERE NOT gone"); got != want {
			t.Errorf("while it runs, %s is %d", column, got)
		}
	}
	if got := r.sql.Count("SELECT count() FROM call_summaries WHERE has(people.participant_id, toUUID($1)) OR has(streams.participant_id, toUUID($1))", uuid.UUID(id(2)).String()); got != 0 {
		t.Error("while it runs, the guest's id is stored")
	}
	r.end(noon().Add(30 * time.Minute))
	r.insert()
	r.pass(m)
	if diff := cmp.Diff("call-1 at 04 12:00 complete poor good 1 poor 2 people 2/2 anonymous 1 streams 3", r.rows(quality.CallDiagnostics)); diff != "" {
		t.Errorf("after its end (-want +got):\n%s", diff)
	}
}

// Of a call that has ended something may be missing, until it has come or half an hour is over.
func TestPartialUntilItSettles(t *testing.T) {
	r := newRig(t)
	r.now = noon().Add(31 * time.Minute)
	r.start(noon())
	r.join(1, store.Who{Identity: store.OrgUser, UserID: "ada"})
	r.end(noon().Add(30 * time.Minute))
	r.insert()
	m := r.summariser(quality.DefaultConfig())
	r.pass(m)
	if got := r.rows(quality.CallDiagnostics); !strings.Contains(got, "partial") {
		t.Errorf("a minute after its end: %s", got)
	}
	r.now = noon().Add(61 * time.Minute)
	r.pass(m)
	if got := r.rows(quality.CallDiagnostics); !strings.Contains(got, "complete") {
		t.Errorf("half an hour after its end: %s", got)
	}
}

// Where networks are is resolved when a summary is made, and again when the table changes.
func TestSitesOfOrgUsers(t *testing.T) {
	r := newRig(t)
	r.start(noon())
	r.join(1, store.Who{Identity: store.OrgUser, UserID: "ada", Network: "192.0.2.0/24"})
	r.join(2, store.Who{Identity: store.Guest, Network: "192.0.2.0/24"}) // What ingest would never store.
	r.stream(1, 10, 12)
	r.end(noon().Add(time.Minute))
	r.insert()
	m := r.summariser(quality.DefaultConfig())
	r.pass(m)
	sites := func() string {
		return strings.Join(r.sql.Texts("SELECT arrayStringConcat(arraySort(arrayMap((l, s, n) -> concat(l, '=', s, '@', n), people.label, people.site, people.network)), ' ') FROM call_summaries FINAL WHERE NOT gone AND profile = 'cqd'"), " ")
	}
	if diff := cmp.Diff("Anonymous=@ ada=@192.0.2.0/24", sites()); diff != "" {
		t.Errorf("before there are sites (-want +got):\n%s", diff)
	}
	for version, site := range []string{"Lyon", "Paris"} {
		value := fmt.Sprintf(`{"rows":[{"subnet":"192.0.0.0/16","site":%q}]}`, site)
		if _, err := r.store.Put(t.Context(), store.Control{Kind: analytics.SitesKind, Org: "contoso", ID: analytics.SitesID, Value: []byte(value), Author: "a"}, uint64(version)); err != nil {
			t.Fatal(err)
		}
		r.pass(r.summariser(quality.DefaultConfig()))
		if diff := cmp.Diff("Anonymous=@ ada="+site+"@192.0.2.0/24", sites()); diff != "" {
			t.Errorf("sites (-want +got):\n%s", diff)
		}
	}
}

// What the watermark says is in the summaries.
func TestWatermark(t *testing.T) {
	r := newRig(t)
	r.start(noon())
	r.insert()
	m := r.summariser(quality.DefaultConfig())
	r.pass(m)
	w, err := store.NewReader(r.store, store.QueryLimits{}).Watermark(t.Context(), analytics.WatermarkName)
	if err != nil || w.At.IsZero() || w.Reason != "" {
		t.Errorf("watermark %+v, %v", w, err)
	}
}
