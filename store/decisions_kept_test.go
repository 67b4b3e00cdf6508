package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// What is to be decided on and what is counted is the same on one node and on two shards.
func TestDecisionsOnShards(t *testing.T) {
	stores := map[string]*store.Store{"one node": storetest.New(t), "two shards": startCluster(t)}
	answers := map[string][]string{}
	for name, s := range stores {
		answers[name] = decideOn(t, s)
	}
	if diff := cmp.Diff(answers["one node"], answers["two shards"]); diff != "" {
		t.Errorf("answers (-one node +two shards):\n%s", diff)
	}
	if want := 6 + 5 + 6 + 1 + 6 + 11; len(answers["one node"]) != want {
		t.Errorf("%d answers, want %d:\n%s", len(answers["one node"]), want, strings.Join(answers["one node"], "\n"))
	}
}

// decideOn makes six meetings with two messages and a copy each, some of them superseded or hidden, and asks a store everything about them.
func decideOn(t *testing.T, s *store.Store) []string {
	t.Helper()
	ctx := t.Context()
	exec := func(query string, args ...any) {
		t.Helper()
		if err := s.Conn().Exec(ctx, query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	meeting := func(i int) uuid.UUID { return uuid.MustParse(fmt.Sprintf("11111111-0000-8000-8000-%012d", i)) }
	clinic, guest := uuid.MustParse("22222222-0000-8000-8000-000000000001"), uuid.MustParse("33333333-0000-8000-8000-000000000001")
	for i := range 6 {
		call := fmt.Sprintf("call-%d", i)
		exec(`INSERT INTO attendance (org, meeting_id, user_id, call_id, joined_at) VALUES ('contoso', $1, 'ada', $2, now64(6)), ('contoso', $1, $3, $2, now64(6))`,
			meeting(i), call, fmt.Sprintf("user-%d", i%2))
		const thing = `INSERT INTO retained (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at)
			VALUES ($1, 'contoso', $2, $3, $4, $5, $6, toDateTime64('2028-02-29 12:00:00', 6, 'UTC') + $7)`
		old, latest := meeting(100+i), meeting(200+i)
		exec(thing, "thread", meeting(i), call, old, uuid.Nil, uuid.Nil, 0)
		exec(thing, "thread", meeting(i), call, latest, uuid.Nil, uuid.Nil, 3600)
		exec(thing, "copy", meeting(i), call, old, guest, clinic, 0) // superseded
		exec(thing, "copy", meeting(i), call, latest, guest, clinic, 3600)
		exec(`INSERT INTO copy_heads (org, meeting_id, call_id, holder_id, message_id, sent_at)
			VALUES ('contoso', $1, $2, $3, $4, toDateTime64('2028-02-29 13:00:00', 6, 'UTC'))`, meeting(i), call, guest, latest)
	}
	exec(`INSERT INTO hidden (class, org, meeting_id, call_id, item_id, sent_at) VALUES ('thread', 'contoso', $1, 'call-3', $2, toDateTime64('2028-02-29 12:00:00', 6, 'UTC'))`,
		meeting(3), meeting(103))
	var out []string
	note := func(form string, args ...any) { out = append(out, fmt.Sprintf(form, args...)) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.EachAttendance(ctx, "contoso", nil, func(m uuid.UUID, users []string) error {
		note("%s was attended by %v", m, users)
		return nil
	}))
	var decided []store.RetentionDecision
	must(s.EachDecided(ctx, "contoso", []uuid.UUID{meeting(0), meeting(1), meeting(2)}, true, func(d store.Decided) error {
		day := int64(86400)
		if d.Class == "thread" && d.MeetingID == meeting(2) { // One stays undecided.
			return nil
		}
		decided = append(decided, store.RetentionDecision{KeptKey: d.KeptKey, PeriodS: &day, RuleID: "default", Basis: 7, DecidedAt: noon(), Seq: 1})
		return nil
	}))
	slices.SortFunc(decided, func(a, b store.RetentionDecision) int {
		return strings.Compare(a.Class+a.MeetingID.String(), b.Class+b.MeetingID.String())
	})
	must(s.PutRetentionDecisions(ctx, decided))
	decided[0].Basis, decided[0].Seq = 9, 2
	must(s.PutRetentionDecisions(ctx, decided[:1]))
	for _, kept := range []bool{false, true} {
		must(s.EachDecided(ctx, "contoso", []uuid.UUID{meeting(0), meeting(1), meeting(2)}, kept, func(d store.Decided) error {
			note("decided, things too %v: %s %s %d %d", kept, d.MeetingID, d.Class, d.Basis, d.Seq)
			return nil
		}))
	}
	orgs, err := s.KeptOrgs(ctx)
	must(err)
	note("organisations %v", orgs)
	must(store.NewReader(s, store.QueryLimits{}).EachKeptCount(ctx, "contoso", noon(), false, func(c store.KeptCount) error {
		note("%s has %d of %s, of %s, early %v", c.MeetingID, c.Things, c.Class, c.Day.Format(time.DateOnly), c.Early)
		return nil
	}))
	for what, ask := range map[string]func() (int, error){
		"new keys":   func() (int, error) { k, err := s.KeptSince(ctx, time.Now().Add(-time.Hour)); return len(k), err },
		"attendance": func() (int, error) { a, err := s.AttendedSince(ctx, time.Now().Add(-time.Hour)); return len(a), err },
		"meetings": func() (int, error) {
			m, err := s.MeetingsOfUsers(ctx, "contoso", []string{"user-1"})
			return len(m), err
		},
	} {
		n, err := ask()
		must(err)
		if want := map[string]int{"new keys": 12, "attendance": 12, "meetings": 3}[what]; n != want {
			t.Errorf("%s: %d, want %d", what, n, want)
		}
	}
	slices.Sort(out)
	return out
}
