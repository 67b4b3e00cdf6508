package dashboards_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

const (
	org      = "contoso"
	ended    = "call-that-ended"
	running  = "call-that-runs"
	password = "grafana's own"
	// canary stands for whatever a guest is known by.
	canary = "Grace Guest"
)

// TestPanels runs the query of each panel and of each variable as the user that deploy/clickhouse/grafana.xml makes, on a ClickHouse that has been
// given that very file, and wants something to look at in each.
func TestPanels(t *testing.T) {
	g := newGrafana(t)
	g.fill()
	for _, b := range boards(t) {
		for _, v := range b.Templating.List {
			if v.Datasource.Type != clickhouseType {
				continue
			}
			var sql string
			if err := json.Unmarshal(v.Query, &sql); err != nil {
				t.Fatal(err)
			}
			if g.ask(g.expand(sql)).Rows == 0 {
				t.Errorf("%s: variable %s has nothing to choose from", b.file, v.Name)
			}
		}
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				if q.Datasource.Type != clickhouseType {
					continue
				}
				answer := g.ask(g.expand(q.RawSQL))
				if answer.Rows == 0 {
					t.Errorf("%s: panel %q is empty:\n%s", b.file, p.Title, g.expand(q.RawSQL))
				}
				g.checkFields(b.file, p, q, answer)
			}
		}
	}
}

// TestRule_D2_GrafanaSeesNoGuestsName and what follows look at what its user may read.
func TestRule_D2_GrafanaSeesNoGuestsName(t *testing.T) {
	g := newGrafana(t)
	g.fill()
	g.refuses()
	views := g.sql.Texts("SELECT name FROM system.tables WHERE database = 'anteroom' AND startsWith(name, 'analytics_')")
	if len(views) < 10 {
		t.Fatalf("there are only these views: %v", views)
	}
	if n := g.sql.Count("SELECT count() FROM anteroom.timeline WHERE attributes['text'] = $1", canary); n == 0 {
		t.Fatal("the canary is not in the tables at all")
	}
	people := 0
	for _, view := range views {
		answer := g.ask("SELECT * FROM " + view)
		if answer.Rows == 0 && view != "analytics_dead_letters" {
			t.Errorf("%s is empty", view)
		}
		if text := string(answer.text); strings.Contains(text, canary) || strings.Contains(text, "203.0.113") {
			t.Errorf("%s tells a guest's name or address:\n%s", view, text)
		}
		if view == "analytics_participants" {
			people = strings.Count(string(answer.text), `"Anonymous"`)
		}
	}
	if people == 0 {
		t.Error("no guest is shown as Anonymous")
	}
}

func TestRule_D3_GrafanaSeesNoGuestOfARunningCall(t *testing.T) {
	g := newGrafana(t)
	g.fill()
	for _, sql := range []string{
		"SELECT participant_id FROM analytics_participants WHERE call_id = '%s' AND label = 'Anonymous'",
		"SELECT participant_id FROM analytics_streams WHERE call_id = '%s' AND jitter_ms > 100",
		"SELECT participant_id FROM analytics_samples WHERE call_id = '%s' AND jitter_ms > 100",
		"SELECT participant_id FROM analytics_streams WHERE call_id = '%s' AND direction = 'inbound'",
		"SELECT participant_id FROM analytics_samples WHERE call_id = '%s' AND direction = 'inbound'",
		"SELECT participant_id FROM analytics_marks WHERE call_id = '%s' AND participant_id = '02020202-0202-0202-0202-020202020202'",
		"SELECT action FROM analytics_decisions WHERE call_id = '%s'",
		"SELECT call_id FROM analytics_calls WHERE call_id = '%s' AND (anonymous > 0 OR poor > 0)",
	} {
		if got := g.ask(fmt.Sprintf(sql, ended)).Rows; got == 0 {
			t.Errorf("nothing is there once it has ended: %s", sql)
		}
		if answer := g.ask(fmt.Sprintf(sql, running)); answer.Rows != 0 {
			t.Errorf("of the running call %s:\n%s", sql, answer.text)
		}
	}
	// The org user of the running call is there.
	for _, view := range []string{"analytics_participants", "analytics_streams", "analytics_samples", "analytics_marks"} {
		if g.ask(fmt.Sprintf("SELECT participant_id FROM %s WHERE call_id = '%s'", view, running)).Rows == 0 {
			t.Errorf("%s has nothing of the org user", view)
		}
	}
	if n := g.ask("SELECT 1 FROM analytics_deletions").Rows; n != 1 {
		t.Errorf("%d deletions are shown, of which only one is of a call that has ended", n)
	}
}

// refuses asks for what this user must not read or do.
func (g *grafana) refuses() {
	g.t.Helper()
	const rest = `SELECT concat(database, '.', name) FROM system.tables WHERE database IN (SELECT name FROM system.databases WHERE engine = 'Atomic' AND name != 'system')
		AND NOT (database = 'anteroom' AND startsWith(name, 'analytics_'))`
	tables := g.sql.Texts(rest)
	if all := strings.Join(tables, " "); !strings.Contains(all, "resource_log.") || !strings.Contains(all, "anteroom.texts") {
		g.t.Fatalf("these can't be all tables: %s", all)
	}
	for _, table := range tables {
		if status, text := g.send("SELECT * FROM " + table + " LIMIT 1"); status == http.StatusOK || !strings.Contains(text, "ACCESS_DENIED") {
			g.t.Errorf("%s can be read: %d %s", table, status, text)
		}
	}
	for _, sql := range []string{
		"SELECT 1 FROM url('http://127.0.0.1:1/', 'LineAsString')", "SELECT 1 FROM file('users.xml', 'LineAsString')",
		"SELECT 1 FROM remote('127.0.0.1', 'anteroom', 'calls')", "SELECT 1 FROM merge('anteroom', '^texts$')",
		"INSERT INTO anteroom.analytics_calls (org) VALUES ('x')", "DROP VIEW anteroom.analytics_calls", "CREATE TABLE anteroom.mine (x UInt8) ENGINE = Memory",
		"SYSTEM FLUSH LOGS", "SHOW CREATE USER anteroom", "SELECT 1 FROM system.query_log", "SELECT 1 SETTINGS max_execution_time = 3600",
		"SELECT 1 SETTINGS max_memory_usage = 0", "SET readonly = 0",
	} {
		if status, text := g.send(sql); status == http.StatusOK {
			g.t.Errorf("%s was answered: %s", sql, text)
		}
	}
}

// grafana asks as Grafana's data source would.
type grafana struct {
	t      *testing.T
	http   string
	sql    *storetest.SQL
	store  *store.Store
	now    time.Time
	batch  *store.Batch
	offset int64
}

func newGrafana(t *testing.T) *grafana {
	t.Helper()
	dir := t.TempDir()
	grants, err := os.ReadFile("../deploy/clickhouse/grafana.xml")
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "users.d"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "users.d", "grafana.xml"), grants, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GRAFANA_CLICKHOUSE_PASSWORD", password)
	engineCfg := embedded.DefaultClickHouseConfig(dir)
	engineCfg.Unsynced = true
	engine, err := embedded.StartClickHouse(t.Context(), engineCfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	cfg := store.DefaultConfig()
	cfg.Addresses, cfg.Username, cfg.Password = []string{engine.Addr()}, engine.User(), engine.Password()
	if _, err := store.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &grafana{t: t, http: engine.HTTPAddr(), sql: storetest.NewSQL(t, cfg), store: s, now: time.Now().UTC().Truncate(time.Second), batch: store.NewBatch()}
}

// expand does what Grafana and its data source do to a query. The time shown is the last week.
func (g *grafana) expand(sql string) string { return g.expandOf(sql, ended) }

// expandOf is expand with a call that is chosen.
func (g *grafana) expandOf(sql, call string) string {
	from, to := g.now.Add(-7*24*time.Hour).Unix(), g.now.Add(time.Minute).Unix()
	sql = regexp.MustCompile(`\$__timeFilter\(([^)]*)\)`).ReplaceAllString(sql, fmt.Sprintf("$1 >= toDateTime(%d) AND $1 <= toDateTime(%d)", from, to))
	sql = regexp.MustCompile(`\$__timeInterval\(([^)]*)\)`).ReplaceAllString(sql, "toStartOfInterval(toDateTime($1), INTERVAL 60 second)")
	return strings.NewReplacer(
		"$__fromTime", fmt.Sprintf("toDateTime(%d)", from), "$__toTime", fmt.Sprintf("toDateTime(%d)", to), "$__interval_s", "10",
		"${org:sqlstring}", "'"+org+"'", "${profile:sqlstring}", "'"+quality.CallDiagnostics+"'", "${region:sqlstring}", "'emea','amer'",
		"${call:sqlstring}", "'"+call+"'", "${action:sqlstring}", "'join','chat.send'",
	).Replace(sql)
}

type answer struct {
	Meta []struct{ Name, Type string }
	Data []map[string]any
	Rows int
	text []byte
}

func (g *grafana) ask(sql string) answer {
	g.t.Helper()
	status, text := g.send(sql + " FORMAT JSON")
	if status != http.StatusOK || strings.Contains(sql, "$") {
		g.t.Fatalf("%s\n%d %s", sql, status, text)
	}
	out := answer{text: []byte(text)}
	if err := json.Unmarshal(out.text, &out); err != nil {
		g.t.Fatal(err)
	}
	return out
}

// send sends a query with a setting of its own, as the data source does.
func (g *grafana) send(sql string) (int, string) {
	g.t.Helper()
	query := url.Values{"database": {"anteroom"}, "max_execution_time": {"60"}}
	request, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, "http://"+g.http+"/?"+query.Encode(), strings.NewReader(sql))
	if err != nil {
		g.t.Fatal(err)
	}
	request.SetBasicAuth("grafana", password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// checkFields wants a time where one is drawn over time, a number in it, and each field that has a unit of its own.
func (g *grafana) checkFields(file string, p panel, q target, a answer) {
	g.t.Helper()
	fields := map[string]bool{}
	numbers, times := 0, 0
	for _, m := range a.Meta {
		fields[m.Name] = true
		if regexp.MustCompile(`Int|Float`).MatchString(m.Type) {
			numbers++
		}
		if strings.HasPrefix(m.Type, "DateTime") {
			times++
		}
	}
	if *q.Format == 0 && (times != 1 || numbers == 0) {
		g.t.Errorf("%s: panel %q has %d times and %d numbers: %+v", file, p.Title, times, numbers, a.Meta)
	}
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID == "byName" && !fields[o.Matcher.Options] {
			g.t.Errorf("%s: panel %q has a setting for %q, which it does not show", file, p.Title, o.Matcher.Options)
		}
	}
	if p.Type == "stat" && a.Rows > 0 {
		for field, value := range a.Data[0] {
			if value == nil {
				g.t.Errorf("%s: panel %q shows nothing for %s", file, p.Title, field)
			}
		}
	}
}

// fill stores two calls alike, one of which still runs: an org user whose media are fine, and a guest whose are not.
func (g *grafana) fill() {
	g.t.Helper()
	g.batch.Reset("events", 0)
	began := g.now.Add(-50 * time.Minute)
	g.call(ended, began)
	g.batch.Calls.AddEnded(g.origin(), g.env(ended, g.now), &eventpb.CallEnded{EndedAtUs: began.Add(10 * time.Minute).UnixMicro()})
	g.call(running, began)
	if err := g.store.Insert(g.t.Context(), g.batch, uuid.NewString()); err != nil {
		g.t.Fatal(err)
	}
	g.sumUp(2)
	for _, call := range []string{ended, running} {
		g.sql.Exec(`INSERT INTO evidence (copy_id, class, org, call_id, sent_at, hidden_at, purged_at, why, lateness_ms, rule_id)
			VALUES (repeat('c', 32), 'copy', $1, $2, now() - 3600, now() - 60, now() - 50, 'superseded', 700000, 'R2')`, org, call)
	}
	g.sql.Exec("INSERT INTO ledger_entries (id, log_index, leaf_hash, published_at) VALUES ('leaf', 1, repeat('h', 32), now())")
	g.sql.Exec("INSERT INTO dead_letters VALUES ('emea', 'anteroom.emea.events', 0, 1, -1, 'it is no event', 100, now())")
}

// sumUp makes the summaries of so many calls.
func (g *grafana) sumUp(want int) {
	g.t.Helper()
	profiles, err := quality.NewProfiles(quality.DefaultConfig())
	if err != nil {
		g.t.Fatal(err)
	}
	m, err := analytics.NewSummariser(g.store, profiles, analytics.DefaultConfig(), time.Now, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		g.t.Fatal(err)
	}
	if n, err := m.Pass(g.t.Context()); err != nil || n != want {
		g.t.Fatalf("%d calls were summed up, want %d: %v", n, want, err)
	}
}

func (g *grafana) origin() store.Origin {
	g.offset++
	return store.Origin{Offset: g.offset}
}

func (g *grafana) env(call string, at time.Time) store.Envelope {
	return store.Envelope{Org: org, Region: "emea", CallID: call, SourceKind: 1, ObservedAt: at}
}

func (g *grafana) call(call string, began time.Time) {
	id := func(b byte) []byte { return bytes.Repeat([]byte{b}, 16) }
	env := g.env(call, began)
	b := g.batch
	b.Calls.AddStarted(g.origin(), env, &eventpb.CallStarted{StartedAtUs: began.UnixMicro(), Kind: eventpb.CallKind_CALL_KIND_MEETING})
	for person, who := range map[byte]store.Who{
		1: {Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada Byron"}, 2: {Identity: store.Guest},
	} {
		b.Participants.AddJoined(g.origin(), env, who, &eventpb.ParticipantJoined{
			ParticipantId: id(person), JoinedAtUs: began.UnixMicro(), ClientFamily: "Chrome", ClientVersion: "140", OsFamily: "Linux",
		})
		if call == ended {
			b.Participants.AddLeft(g.origin(), env, &eventpb.ParticipantLeft{ParticipantId: id(person), LeftAtUs: began.Add(time.Minute).UnixMicro()})
		}
		jitter := 5 + float64(person-1)*200
		b.Streams.Add(g.origin(), env, &eventpb.StreamEnded{
			ParticipantId: id(person), StreamId: id(10 + person), Direction: 2, Media: 1, Packets: proto.Uint64(1000), JitterMsAvg: &jitter,
			LossRatio: proto.Float64(0.01), RttMsAvg: proto.Float64(40), BitrateAvg: proto.Float64(32000),
		})
		b.Samples.Add(g.origin(), env, &eventpb.StreamReport{ParticipantId: id(person), IntervalMs: 10000}, &eventpb.StreamSample{
			StreamId: id(10 + person), Direction: 2, Media: 1, Packets: 500, PacketsLost: 5, JitterMs: proto.Float32(float32(jitter)),
			RttMs: proto.Float32(40), BitrateBps: proto.Float32(32000),
		})
		// What each receives, the other made.
		b.Streams.Add(g.origin(), env, &eventpb.StreamEnded{
			ParticipantId: id(person), StreamId: id(20 + person), Direction: 1, Media: 1, Packets: proto.Uint64(1000), JitterMsAvg: proto.Float64(210 - jitter),
		})
		b.Samples.Add(g.origin(), env, &eventpb.StreamReport{ParticipantId: id(person), IntervalMs: 10000}, &eventpb.StreamSample{
			StreamId: id(20 + person), Direction: 1, Media: 1, Packets: 500, JitterMs: proto.Float32(float32(210 - jitter)),
		})
		b.Timeline.Add(g.origin(), env, store.Entry{Participant: id(person), Lane: 5, Kind: store.DiagnosticEntry, Name: "networkReceiveQuality", Value: "poor", Attributes: map[string]string{"text": canary}})
		b.Timeline.Add(g.origin(), env, store.Entry{
			Participant: id(person), Lane: 1, Kind: store.DecisionEntry, Name: "chat.send", Value: "deny",
			Attributes: map[string]string{"reasons": "not_admitted,channel_meeting", "policy_revision": "base-1"},
		})
	}
}
