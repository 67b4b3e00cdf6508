package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// guestOf makes a guest whose row expires after a time.
func guestOf(resource uuid.UUID, call, user string, keep time.Duration) store.ResourceGuest {
	now := time.Now().UTC().Truncate(time.Microsecond)
	return store.ResourceGuest{
		ResourceID: resource, CallKey: store.CallKey{Org: "contoso", CallID: call}, ParticipantID: uuid.New(), MeetingID: uuid.New(), UserID: user,
		JoinedAt: now.Add(-time.Minute), ExpiresAt: now.Add(keep).Truncate(time.Second),
	}
}

// Whoever may read the region's own database, as dashboards and analysts may, can't read the log with the guests' ids beside it.
func TestRule_D1_WhoReadsAnalyticsCannotReadTheResourceLog(t *testing.T) {
	cfg := embedded.DefaultClickHouseConfig(t.TempDir())
	cfg.Unsynced = true
	cfg.Readers = []embedded.Reader{{Name: "analyst", Password: "p", Database: "anteroom"}}
	server, err := embedded.StartClickHouse(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	own := store.DefaultConfig()
	own.Addresses, own.Username, own.Password = []string{server.Addr()}, server.User(), server.Password()
	if _, err := store.Migrate(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(own)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := store.NewBatch()
	b.Reset("t", 0)
	b.Guests = []store.ResourceGuest{guestOf(uuid.New(), "call-1", "patient-4711", time.Hour)}
	if err := s.Insert(t.Context(), b, "token"); err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{server.Addr()}, Auth: clickhouse.Auth{Database: "anteroom", Username: "analyst", Password: "p"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var n uint64
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM participants").Scan(&n); err != nil {
		t.Errorf("the analyst can't read analytics, so that the rest proves nothing: %v", err)
	}
	for _, query := range []string{
		"SELECT count() FROM resource_log.guests", "SELECT count() FROM resource_log.records", "SELECT count() FROM resource_log.usage",
		"SELECT * FROM merge('resource_log', '^guests$')", "SELECT count() FROM remote('127.0.0.1', 'resource_log', 'guests')",
		"SELECT count() FROM loop('resource_log', 'guests')", "SHOW CREATE TABLE resource_log.guests", "INSERT INTO resource_log.guests (user_id) VALUES ('x')",
		"DROP TABLE resource_log.guests",
	} {
		err := conn.Exec(t.Context(), query)
		// To merge(), tables that may not be read are not there.
		if err == nil || !strings.Contains(err.Error(), "Not enough privileges") && !strings.Contains(err.Error(), "There are no tables") {
			t.Errorf("%s: %v", query, err)
		}
	}
	// The rows are there for whoever may.
	found, err := s.UnloggedGuests(t.Context(), time.Now().Add(-time.Hour), 10)
	if err != nil || len(found) != 1 || found[0].UserID != "patient-4711" {
		t.Errorf("%+v, %v", found, err)
	}
}

// A guest is logged once, whoever logs it how often, and what has expired is not there any more.
func TestResourceLogIsWrittenOnce(t *testing.T) {
	s := storetest.New(t)
	resource, other := uuid.New(), uuid.New()
	first, gone, foreign := guestOf(resource, "call-1", "ada", time.Hour), guestOf(resource, "call-1", "bob", -time.Minute), guestOf(other, "call-1", "eve", time.Hour)
	b := store.NewBatch()
	for range 2 { // A batch that is replayed.
		b.Reset("t", 0)
		b.Guests = []store.ResourceGuest{first, gone, foreign}
		if err := s.Insert(t.Context(), b, "token"); err != nil {
			t.Fatal(err)
		}
	}
	since := time.Now().Add(-time.Hour)
	found, err := s.UnloggedGuests(t.Context(), since, 10)
	if err != nil || len(found) != 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	record := func(g store.ResourceGuest, body string) store.LogRecord {
		return store.LogRecord{CallKey: g.CallKey, Category: "CallSummary", RecordID: uuid.New(), Participant: g.ParticipantID, At: time.Now().UTC().Truncate(time.Microsecond), Body: body}
	}
	want := record(first, "first")
	day := time.Now().UTC().Truncate(24 * time.Hour)
	usage := []store.Usage{{ResourceID: resource, Day: day, Began: true, Stay: 90 * time.Second, Messages: 3}}
	for _, r := range []store.LogRecord{want, record(first, "second")} {
		if err := s.SaveResourceLog(t.Context(), first, []store.LogRecord{r}, usage); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SaveResourceLog(t.Context(), gone, []store.LogRecord{record(gone, "gone")}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveResourceLog(t.Context(), foreign, []store.LogRecord{record(foreign, "foreign")}, nil); err != nil {
		t.Fatal(err)
	}
	reader := store.NewReader(s, store.DefaultQueryLimits())
	got, err := reader.ResourceLogs(t.Context(), store.LogFilter{Resource: resource, Category: "CallSummary", Limit: 10})
	if err != nil || len(got) != 1 || got[0].Body != "first" || got[0].RecordID != want.RecordID {
		t.Errorf("%+v, %v", got, err)
	}
	if found, err = s.UnloggedGuests(t.Context(), since, 10); err != nil || len(found) != 0 {
		t.Errorf("still unlogged: %+v, %v", found, err)
	}
	used, err := reader.Usage(t.Context(), store.UsageFilter{Resources: []uuid.UUID{resource}, Org: "x", First: day, Last: day})
	wantUsed := []store.Usage{{ResourceID: resource, Day: day, Stays: 1, Stay: 90 * time.Second, Sent: 3}}
	if diff := cmp.Diff(wantUsed, used); err != nil || diff != "" {
		t.Errorf("usage (-want +got):\n%s%v", diff, err)
	}
	for _, f := range []store.UsageFilter{
		{Resources: []uuid.UUID{other}, First: day, Last: day},
		{Hosted: []uuid.UUID{resource}, Org: "fabrikam", First: day, Last: day},
		{Resources: []uuid.UUID{resource}, First: day.AddDate(0, 0, -2), Last: day.AddDate(0, 0, -1)},
	} {
		if used, err = reader.Usage(t.Context(), f); err != nil || len(used) != 0 {
			t.Errorf("%+v: %+v, %v", f, used, err)
		}
	}
}

// Of two who write the records of a call the first one's stay, for both.
func TestCallLogIsClaimedOnce(t *testing.T) {
	s := storetest.New(t)
	key := store.CallKey{Org: "contoso", CallID: "call-1"}
	records := func(text string) []store.LogRecord {
		at := time.Now().UTC().Truncate(time.Microsecond)
		var out []store.LogRecord
		for _, n := range []string{"1", "2", "3"} {
			out = append(out, store.LogRecord{
				CallKey: key, Category: "CallSummary", RecordID: uuid.New(), At: at, Body: text + n, ExpiresAt: at.Add(time.Hour),
			})
		}
		return out
	}
	ada, bob := uuid.New(), uuid.New()
	first, err := s.ClaimCallLog(t.Context(), key, ada, records("ada"))
	if err != nil || first.Writer != ada || len(first.Records) != 3 || first.Records[2].Body != "ada3" {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := s.ClaimCallLog(t.Context(), key, bob, records("bob"))
	if diff := cmp.Diff(first, second); err != nil || diff != "" {
		t.Errorf("the second writer got something else (-first +second):\n%s%v", diff, err)
	}
	reader := store.NewReader(s, store.DefaultQueryLimits())
	f := store.LogFilter{Org: "contoso", Category: "CallSummary", Limit: 2}
	page, err := reader.Logs(t.Context(), f)
	if err != nil || len(page) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	f.After = &store.LogAt{At: page[1].At, RecordID: page[1].RecordID}
	rest, err := reader.Logs(t.Context(), f)
	if err != nil || len(rest) != 1 {
		t.Fatalf("%+v, %v", rest, err)
	}
	if other, err := reader.Logs(t.Context(), store.LogFilter{Org: "fabrikam", Category: "CallSummary", Limit: 9}); err != nil || len(other) != 0 {
		t.Errorf("another organisation's: %+v, %v", other, err)
	}
	if err := s.MarkCallLog(t.Context(), key, 3, time.Now()); err != nil {
		t.Fatal(err)
	}
}
