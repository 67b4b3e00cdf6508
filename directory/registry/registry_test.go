package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// open runs a registry until the test ends.
func open(t *testing.T, s *store.Store) *registry.Registry {
	t.Helper()
	r, err := registry.New(registry.Deps{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run registry: %v", err)
		}
	})
	<-r.Ready()
	return r
}

func contoso() directory.Organization {
	return directory.Organization{ID: "contoso", Name: "Contoso", Region: "emea", Issuer: &directory.Issuer{URL: "https://id.example", ClientID: "a"}}
}

func TestWriteAndFind(t *testing.T) {
	s := storetest.New(t)
	r, other := open(t, s), open(t, s)
	changes := make(chan [3]string, 16)
	other.OnChange(func(kind, org, id string) { changes <- [3]string{kind, org, id} })
	ctx := t.Context()

	first, err := r.Organizations.Put(ctx, contoso(), 0, "operator:root")
	if err != nil {
		t.Fatal(err)
	}
	if first.Version != 1 || first.Author != "operator:root" || first.Value.Settings.LobbyBypass != "org_users" || !first.Value.Settings.AllowsAnonymousJoin() {
		t.Errorf("first version: %+v", first)
	}
	if got := <-changes; got != [3]string{registry.KindOrganization, "", "contoso"} {
		t.Errorf("the other process was told of %v", got)
	}
	if got, ok, err := other.Organization(ctx, "contoso"); err != nil || !ok || cmp.Diff(first.Value, got) != "" {
		t.Errorf("the other process finds %+v, %v, %v", got, ok, err)
	}
	if got, err := other.OrganizationsByIssuer(ctx, "https://id.example"); err != nil || len(got) != 1 {
		t.Errorf("by issuer: %v, %v", got, err)
	}
	meeting := directory.Meeting{ID: uuid.NewString(), Org: "contoso", Title: "Stand-up", Organizer: "ada"}
	if _, err := r.Meetings.Put(ctx, meeting, 0, "ada"); err != nil {
		t.Fatal(err)
	}
	if got := <-changes; got != [3]string{registry.KindMeeting, "contoso", meeting.ID} {
		t.Errorf("the other process was told of %v", got)
	}
	if _, err := r.Users.Put(ctx, directory.User{ID: "ada", Org: "contoso", Name: "Ada"}, 0, "admin"); err != nil {
		t.Fatal(err)
	}
	<-changes
	facts, ok := other.Meeting(meeting.ID)
	if !ok || facts.Organization.ID != "contoso" || facts.Organizer.Name != "Ada" || facts.Meeting.Kind != directory.MeetingScheduled {
		t.Errorf("facts: %+v, %v", facts, ok)
	}
	if _, ok := other.Meeting(uuid.NewString()); ok {
		t.Error("a meeting that is none is found")
	}
	late := open(t, s)
	if facts, ok := late.Meeting(meeting.ID); !ok || facts.Organizer.Name != "Ada" {
		t.Errorf("a process that starts later finds %+v, %v as soon as it is ready", facts, ok)
	}
}

func TestOneOfTwoWritersWins(t *testing.T) {
	r := open(t, storetest.New(t))
	ctx := t.Context()
	first, err := r.Organizations.Put(ctx, contoso(), 0, "a")
	if err != nil {
		t.Fatal(err)
	}
	next := first.Value
	next.Name = "Contoso Ltd"
	if _, err := r.Organizations.Put(ctx, next, first.Version, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Organizations.Put(ctx, next, first.Version, "b"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an outdated version: %v", err)
	}
	if _, err := r.Organizations.Put(ctx, next, 0, "b"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second first version: %v", err)
	}
	next.ID = "fabrikam"
	if _, err := r.Organizations.Put(ctx, next, 7, "b"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a version of nothing: %v", err)
	}
}

func TestInvalidValuesAreNotWritten(t *testing.T) {
	r := open(t, storetest.New(t))
	_, err := r.Organizations.Put(t.Context(), directory.Organization{ID: "Contoso"}, 0, "a")
	var fields []string
	for _, f := range directory.Fields(err) {
		fields = append(fields, f.Field)
	}
	if diff := cmp.Diff([]string{"id", "name", "region"}, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s\n%v", diff, err)
	}
}

func TestOneBadRowStopsNoOther(t *testing.T) {
	s := storetest.New(t)
	for id, value := range map[string]string{"text": `"no object"`, "liar": `{"id":"contoso"}`} {
		if _, err := s.Put(t.Context(), store.Control{Kind: registry.KindOrganization, ID: id, Value: json.RawMessage(value), Author: "x"}, 0); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, s)
	if _, err := r.Organizations.Put(t.Context(), contoso(), 0, "a"); err != nil {
		t.Fatal(err)
	}
	if all := r.Organizations.All(); len(all) != 1 || all[0].Value.ID != "contoso" {
		t.Errorf("organisations: %+v", all)
	}
}

func TestNothingIsKnownBeforeItWasRead(t *testing.T) {
	r, err := registry.New(registry.Deps{Store: storetest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Organization(t.Context(), "contoso"); !errors.Is(err, registry.ErrNotReady) {
		t.Errorf("%v", err)
	}
}

func TestRetentionPoliciesAndHolds(t *testing.T) {
	s := storetest.New(t)
	ctx := t.Context()
	r, other := open(t, s), open(t, s)
	if _, err := r.Organizations.Put(ctx, contoso(), 0, "a"); err != nil {
		t.Fatal(err)
	}
	p := directory.RetentionPolicy{
		ID: uuid.NewString(), Org: "contoso", Name: "Short", Enabled: true, Nonce: "00112233445566778899aabbccddeeff",
		Scope: directory.RetentionScope{Kind: directory.ScopeOrganization}, Action: directory.RetentionAction{Kind: directory.RetentionDelete, Days: 1},
	}
	first, err := r.RetentionPolicies.Put(ctx, p, 0, "ada")
	if err != nil {
		t.Fatal(err)
	}
	p.Action.Days = 2
	second, err := r.RetentionPolicies.Put(ctx, p, 1, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.RetentionPolicies.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if got := other.RetentionPolicies.Of("contoso"); cmp.Diff([]directory.Versioned[directory.RetentionPolicy]{second}, got) != "" {
		t.Errorf("right after a refresh: %+v", got)
	}
	if got := other.RetentionPolicies.Of("fabrikam"); len(got) != 0 {
		t.Errorf("another organisation's: %+v", got)
	}
	history, err := r.RetentionPolicies.History(ctx, "contoso", p.ID)
	if diff := cmp.Diff([]directory.Versioned[directory.RetentionPolicy]{first, second}, history); err != nil || diff != "" {
		t.Errorf("history (-want +got): %v\n%s", err, diff)
	}
	if _, err := r.RetentionPolicies.History(ctx, "contoso", uuid.NewString()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("history of nothing: %v", err)
	}
	h := directory.Hold{
		ID: uuid.NewString(), Org: "contoso", User: "ada", Reason: "Case 7", PlacedBy: "bob", PlacedAt: first.At, Nonce: p.Nonce,
	}
	if _, err := r.Holds.Put(ctx, h, 0, "bob"); err != nil {
		t.Fatal(err)
	}
	late := open(t, s)
	if kept, ok := late.Holds.Find("contoso", h.ID); !ok || cmp.Diff(h, kept.Value) != "" {
		t.Errorf("a process that starts later finds %+v, %v", kept, ok)
	}
}
