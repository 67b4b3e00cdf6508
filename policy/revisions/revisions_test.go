package revisions_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/revisions"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// A revision is made, activated, superseded and gone back to; each process decides by it.
func TestRevisionsLive(t *testing.T) {
	s := newStore(t)
	a, b := start(t, s), start(t, s)
	if a.says() != "allow" {
		t.Fatalf("without a policy: %s", a.says())
	}
	if active, err := a.Active(t.Context(), org); err != nil || active.Revision != 0 || active.Version != 0 || active.RuntimeRevision != a.engine.Revision(org) {
		t.Errorf("nothing is active: %+v, %v", active, err)
	}
	first, second := a.make(refuses("one")), b.make(refuses("two"))
	if first.Number != 1 || second.Number != 2 || first.State != revisions.StateChecked || *first.Tests != (revisions.Tests{Passed: 1}) || *first.Coverage != 100 {
		t.Errorf("made %+v, %+v", first, second)
	}
	if a.says() != "allow" {
		t.Error("a revision decides that nobody activated")
	}
	active := a.activate(1, 0)
	if a.says() != "deny one" { // at once here
		t.Errorf("after the activation: %s", a.says())
	}
	if active.Version != 1 || active.RuntimeRevision != a.engine.Revision(org) || active.ActivatedBy != "ada" {
		t.Errorf("active %+v, the engine's %s", active, a.engine.Revision(org))
	}
	b.awaits("deny one")
	b.activate(2, 1)
	a.awaits("deny two")

	back, err := a.Rollback(t.Context(), org, revisions.Change{Revision: 1, IfVersion: 2, Author: "bob"})
	if err != nil || back.Revision != 3 || back.Version != 3 {
		t.Fatalf("rolled back to %+v, %v", back, err)
	}
	b.awaits("deny one")
	list, err := b.Revisions(t.Context(), org)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list {
		got = append(got, strings.Join([]string{r.State, r.Author, r.Message}, " "))
	}
	if diff := cmp.Diff([]string{"active bob Roll back to revision 1", "superseded ada m", "superseded ada m"}, got); diff != "" || list[0].Digest != first.Digest || list[0].Parent != 1 {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
	// What decided is found by the name that decisions have it by, and what never decided isn't.
	named := func(runtime string) string { _, id, _ := strings.Cut(runtime, "+"+org+"@"); return id }
	if found, err := b.Decided(t.Context(), org, named(active.RuntimeRevision)); err != nil || found.Digest() != first.Digest {
		t.Errorf("what decided first: %s, %v", found.Digest(), err)
	}
	third := b.make(refuses("three"))
	_, never, err := b.Revision(t.Context(), org, third.Number)
	if err != nil {
		t.Fatal(err)
	}
	r, err := never.Revision()
	if err != nil {
		t.Fatal(err)
	}
	id, err := r.ID()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Decided(t.Context(), org, id); !errors.Is(err, revisions.ErrNoRevision) {
		t.Errorf("what never decided: %v", err)
	}
	// Back to the base alone, which is a revision too.
	if _, err := a.Rollback(t.Context(), org, revisions.Change{Revision: 0, IfVersion: 3, Author: "bob"}); err != nil {
		t.Fatal(err)
	}
	b.awaits("allow")
	a.activate(0, 4)
	a.awaits("allow")
}

// Of two activations of one version one comes to nothing.
func TestConflictingActivations(t *testing.T) {
	s := newStore(t)
	a, b := start(t, s), start(t, s)
	a.make(refuses("one"))
	a.make(refuses("two"))
	errs := make([]error, 2)
	var both sync.WaitGroup
	for i, r := range []*rig{a, b} {
		both.Go(func() {
			_, errs[i] = r.Activate(context.Background(), org, revisions.Change{Revision: i + 1, Author: "ada"})
		})
	}
	both.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), store.ErrConflict) {
		t.Fatalf("errors %v", errs)
	}
	want := "deny one"
	if errs[0] != nil {
		want = "deny two"
	}
	a.awaits(want)
	b.awaits(want)
	if _, err := a.Activate(t.Context(), org, revisions.Change{Revision: 1, IfVersion: 7, Author: "ada"}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a version that never was: %v", err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	r := start(t, newStore(t))
	ctx := t.Context()
	with := func(files map[string]string) author.Content {
		c := refuses("one")
		for name, text := range files {
			c.Files[name] = text
		}
		return c
	}
	var refused *revisions.Refused
	_, err := r.Create(ctx, org, revisions.NewRevision{Content: with(map[string]string{"guests.rego": "package anteroom.organization\n\ndeny contains"}), Author: "ada"})
	if !errors.As(err, &refused) || len(refused.Diagnostics) == 0 || refused.Diagnostics[0].File != "guests.rego" {
		t.Errorf("a mistake: %v", err)
	}
	if _, err := r.Create(ctx, org, revisions.NewRevision{Content: refuses("one"), Parent: 7, Author: "ada"}); !errors.Is(err, revisions.ErrNoRevision) {
		t.Errorf("a parent that there is not: %v", err)
	}
	failing := r.make(with(map[string]string{"more_test.rego": "package anteroom.organization_test\n\ntest_wrong if 1 == 2\n"}))
	untested := r.make(author.Content{Files: map[string]string{"guests.rego": refuses("one").Files["guests.rego"]}})
	barely := r.make(with(map[string]string{"more.rego": "package anteroom.organization\n\nlobby contains \"a\" if input.session.participants > 1\n\nlobby contains \"b\" if input.session.participants > 2\n\nlobby contains \"c\" if input.session.participants > 3\n"}))
	for _, c := range []struct {
		number int
		want   string
	}{
		{failing.Number, "test_wrong (more_test.rego:3)"}, {untested.Number, "no test"}, {barely.Number, "asks for 80 %"},
	} {
		_, err := r.Activate(ctx, org, revisions.Change{Revision: c.number, Author: "ada"})
		if !errors.As(err, &refused) || !strings.Contains(strings.Join(refused.Errors, " "), c.want) {
			t.Errorf("revision %d: %v, want %q", c.number, err, c.want)
		}
	}
	if failing.Tests.Failed != 1 {
		t.Errorf("tests of the failing: %+v", failing.Tests)
	}
	if _, err := r.Activate(ctx, org, revisions.Change{Revision: 99, Author: "ada"}); !errors.Is(err, revisions.ErrNoRevision) {
		t.Errorf("a revision that there is not: %v", err)
	}
	if _, err := r.Rollback(ctx, org, revisions.Change{Revision: failing.Number, Author: "ada"}); !errors.As(err, &refused) || !strings.Contains(refused.Errors[0], "never active") {
		t.Errorf("back to what never was: %v", err)
	}
	if active, err := r.Active(ctx, org); err != nil || active.Version != 0 || r.says() != "allow" {
		t.Errorf("something is active: %+v, %v", active, err)
	}
}

func TestDrafts(t *testing.T) {
	r := start(t, newStore(t))
	ctx := t.Context()
	change := revisions.DraftChange{Title: "Mine", Content: author.Content{Files: map[string]string{"a.rego": "not right at all"}}, Author: "ada"}
	made, err := r.CreateDraft(ctx, org, change)
	if err != nil {
		t.Fatal(err)
	}
	change.Content.Files = map[string]string{}
	change.Author = "bob"
	saved, err := r.SaveDraft(ctx, org, made.ID, change, 1)
	if err != nil || saved.Version != 2 || saved.Author != "bob" || !saved.CreatedAt.Equal(made.CreatedAt) {
		t.Errorf("saved %+v, %v", saved, err)
	}
	if _, err := r.SaveDraft(ctx, org, made.ID, change, 1); !errors.Is(err, store.ErrConflict) {
		t.Errorf("saved an old version: %v", err)
	}
	got, content, err := r.Draft(ctx, org, made.ID)
	if diff := cmp.Diff(saved, got); err != nil || diff != "" || len(content.Files) != 0 {
		t.Errorf("read (-want +got): %v\n%s", err, diff)
	}
	if _, _, err := r.Draft(ctx, "fabrikam", made.ID); !errors.Is(err, revisions.ErrNoDraft) {
		t.Errorf("another organisation's: %v", err)
	}
	if err := r.DeleteDraft(ctx, org, made.ID, "ada", 2); err != nil {
		t.Fatal(err)
	}
	if list, err := r.Drafts(ctx, org); err != nil || len(list) != 0 {
		t.Errorf("drafts %v, %v", list, err)
	}
	if err := r.DeleteDraft(ctx, org, made.ID, "ada", 2); !errors.Is(err, revisions.ErrNoDraft) {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestDiff(t *testing.T) {
	from := author.Content{Files: map[string]string{"same": "x\n", "changed": "a\nb\n", "removed": "r\n"}}
	to := author.Content{Files: map[string]string{"same": "x\n", "changed": "a\nc\n", "added": "n\n"}}
	want := []revisions.FileDiff{
		{"added", revisions.FileAdded, "--- /dev/null\n+++ b/added\n@@ -0,0 +1 @@\n+n\n"},
		{"changed", revisions.FileChanged, "--- a/changed\n+++ b/changed\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"},
		{"removed", revisions.FileRemoved, "--- a/removed\n+++ /dev/null\n@@ -1 +0,0 @@\n-r\n"},
		{"same", revisions.FileSame, ""},
	}
	if diff := cmp.Diff(want, revisions.Diff(from, to)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := revisions.Diff(author.Content{}, author.Content{}); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// What is active decides from the first decision after a restart on; nobody is decided for before it is read.
func TestRestart(t *testing.T) {
	s := newStore(t)
	first, end := process(t, s, policy.Config{})
	<-first.follower.Ready()
	first.make(refuses("one"))
	first.activate(1, 0)
	end()
	engine, err := policy.New(policy.Config{}, first.logger())
	if err != nil {
		t.Fatal(err)
	}
	follower, err := revisions.NewFollower(revisions.FollowerDeps{Store: s, Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	again := &rig{t: t, engine: engine}
	if again.says() != "deny policy_failed" || !errors.Is(follower.Check(t.Context()), policy.ErrHeld) {
		t.Errorf("before it has read: %s, %v", again.says(), follower.Check(t.Context()))
	}
	var seen []string
	engine.OnChange(func(changed string) {
		if changed == "" {
			seen = append(seen, again.says())
		}
	})
	go func() { _ = follower.Run(t.Context()) }()
	<-follower.Ready()
	if diff := cmp.Diff([]string{"deny one"}, seen); diff != "" || follower.Check(t.Context()) != nil {
		t.Errorf("the first decision (-want +got):\n%s", diff)
	}
}

// An organisation whose policy is damaged is denied everything, and no other.
func TestDamagedContent(t *testing.T) {
	s, cfg := storetest.Reused(t)
	first, end := process(t, s, policy.Config{})
	<-first.follower.Ready()
	first.make(refuses("one"))
	first.activate(1, 0)
	end()
	storetest.NewSQL(t, cfg).Exec("ALTER TABLE policy_contents UPDATE files = replaceAll(files, 'one', 'two') WHERE 1 SETTINGS mutations_sync = 2")
	r := start(t, s)
	if r.says() != "deny policy_failed" {
		t.Errorf("damaged: %s", r.says())
	}
	if err := r.follower.CheckEach(t.Context()); err == nil || !strings.Contains(err.Error(), "contoso") {
		t.Errorf("check: %v", err)
	}
	other := r.engine.Decide(t.Context(), "fabrikam", policy.Input{
		Action: policy.ActionJoin, Organization: policy.Organization{Kind: "work"}, Meeting: policy.Meeting{Kind: "scheduled"},
		Participant: policy.Participant{Kind: "org_user", State: "new"},
	})
	if !other.Allowed() {
		t.Errorf("another organisation: %+v", other)
	}
	// The next activation heals it.
	made := r.make(refuses("three"))
	r.activate(made.Number, 1)
	if r.says() != "deny three" || r.follower.CheckEach(t.Context()) != nil {
		t.Errorf("healed: %s, %v", r.says(), r.follower.CheckEach(t.Context()))
	}
}
