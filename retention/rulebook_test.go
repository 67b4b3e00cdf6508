package retention_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/proof"
)

// leaves reads what is on its way into the ledger, by id.
func (h *house) leaves() map[string]proof.Leaf {
	h.t.Helper()
	rows, err := h.conns["emea"].Query(h.t.Context(), `SELECT id, leaf FROM ledger_outbox`)
	h.must(err)
	defer rows.Close()
	out := map[string]proof.Leaf{}
	for rows.Next() {
		var id, text string
		h.must(rows.Scan(&id, &text))
		leaf, err := proof.ParseLeaf([]byte(text))
		h.must(err)
		if leaf.ID != id {
			h.t.Errorf("leaf %s is put as %s", leaf.ID, id)
		}
		out[id] = leaf
	}
	h.must(rows.Err())
	return out
}

// TestEachChangeHasItsLeaf: with the digest of what an auditor can read, and repaired where it is missing.
func TestEachChangeHasItsLeaf(t *testing.T) {
	h := newHouse(t)
	id := h.policy(everybody(), del, 7)
	h.change(id, func(p *directory.RetentionPolicy) { p.Action.Days = 8 })
	hold := h.release(h.hold(directory.Hold{User: "ada"}))
	lost, err := h.rows.RetentionPolicies.Put(t.Context(), directory.RetentionPolicy{
		ID: uuid.NewString(), Org: "contoso", Name: "lost", Scope: everybody(), Action: directory.RetentionAction{Kind: retain, Days: 1},
		Nonce: "00112233445566778899aabbccddeeff",
	}, 0, "admin")
	h.must(err)
	check := func(want int) {
		t.Helper()
		leaves := h.leaves()
		if len(leaves) != want {
			t.Errorf("%d leaves, want %d", len(leaves), want)
		}
		for kind, ids := range map[string][]string{registry.KindRetentionPolicy: {id, lost.Value.ID}, registry.KindHold: {hold.Value.ID}} {
			for _, id := range ids {
				rows, err := h.home().History(t.Context(), kind, "contoso", id)
				h.must(err)
				for _, row := range rows {
					c := proof.Change{
						Schema: proof.Schema, What: proof.LeafPolicy, Organization: "contoso", ID: id, Version: row.Version, By: row.Author, At: proof.Time(row.At),
						Value: row.Value,
					}
					if kind == registry.KindHold {
						c.What = proof.LeafHold
					}
					wanted, err := c.Leaf("emea")
					h.must(err)
					if got, ok := leaves[c.LeafID()]; ok && got != wanted {
						t.Errorf("leaf %+v, want %+v", got, wanted)
					} else if !ok && id != lost.Value.ID {
						t.Errorf("no leaf %s", c.LeafID())
					}
				}
			}
		}
	}
	check(4)
	if n, err := retention.RepairLeaves(t.Context(), h.home(), "emea", 0); err != nil || n != 1 {
		t.Errorf("repaired %d: %v", n, err)
	}
	check(5)
	if n, err := retention.RepairLeaves(t.Context(), h.home(), "emea", 0); err != nil || n != 0 {
		t.Errorf("repaired %d again: %v", n, err)
	}
}

func TestEachVersionHasItsNonce(t *testing.T) {
	h := newHouse(t)
	id := h.policy(everybody(), del, 7)
	h.change(id, func(p *directory.RetentionPolicy) { p.Name = "y" })
	versions, err := h.rows.RetentionPolicies.History(t.Context(), "contoso", id)
	h.must(err)
	if len(versions) != 2 || versions[0].Value.Nonce == versions[1].Value.Nonce || versions[0].Author != "admin" {
		t.Errorf("versions %+v", versions)
	}
}

// refused asserts which fields of a policy are refused.
func (h *house) refused(p directory.RetentionPolicy, ifVersion uint64, want ...string) {
	h.t.Helper()
	_, err := h.book.PutPolicy(h.t.Context(), p, ifVersion, "admin")
	h.fields(err, want...)
}

func (h *house) fields(err error, want ...string) {
	h.t.Helper()
	var got []string
	for _, f := range directory.Fields(err) {
		got = append(got, f.Field)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("fields (-want +got):\n%s\n%v", diff, err)
	}
}

func draft(scope directory.RetentionScope, kind string, days int) directory.RetentionPolicy {
	return directory.RetentionPolicy{
		ID: uuid.NewString(), Org: "contoso", Name: "x", Scope: scope, Action: directory.RetentionAction{Kind: kind, Days: days}, Enabled: true,
	}
}

func locked(p directory.RetentionPolicy) directory.RetentionPolicy {
	p.Locked = true
	return p
}

func TestUnknownUsersAndGroupsAreRefused(t *testing.T) {
	h := newHouse(t)
	h.joined(uuid.New(), "stranger") // who signs in needs no row
	h.refused(draft(everybody(), del, 0), 0, "action.days")
	h.refused(draft(only("ada", "nobody", "stranger"), del, 1), 0, "scope.include.users[1]")
	scope := group("legal", "nowhere")
	scope.Exclude = &directory.Members{Users: []string{"bob", "nobody"}, Groups: []string{"nowhere", "staff"}}
	h.refused(draft(scope, del, 1), 0, "scope.include.groups[1]", "scope.exclude.users[1]", "scope.exclude.groups[0]")
	// Whoever has gone since stays named.
	p := draft(group("legal"), del, 1)
	p.ID = h.policy(group("legal"), del, 1)
	h.user(directory.User{ID: "ada", Org: "contoso", Name: "Ada"})
	p.Name = "y"
	h.refused(p, 1)
	p.Scope.Include.Groups = []string{"legal", "staff", "nowhere"}
	h.refused(p, 2, "scope.include.groups[2]")
}

func TestHoldsOnNothingAreRefused(t *testing.T) {
	h := newHouse(t)
	h.joined(uuid.New(), "stranger")
	place := func(hold directory.Hold, want ...string) {
		t.Helper()
		hold.ID, hold.Org, hold.Reason = uuid.NewString(), "contoso", "Case 7"
		_, err := h.book.PlaceHold(t.Context(), hold, "admin")
		h.fields(err, want...)
	}
	place(directory.Hold{}, "meeting")
	place(directory.Hold{Meeting: uuid.NewString()}, "meeting")
	place(directory.Hold{Meeting: "x"}, "meeting")
	place(directory.Hold{User: "nobody"}, "user")
	place(directory.Hold{Resource: uuid.NewString()}, "resource")
	place(directory.Hold{User: "ada", Resource: clinic.String()}, "resource")
	place(directory.Hold{User: "stranger"})
	if got := h.rows.Holds.Of("contoso"); len(got) != 1 || got[0].Value.PlacedBy != "admin" || !got[0].Value.Holds() {
		t.Errorf("holds %+v", got)
	}
}

func TestReleasedHoldsStaySo(t *testing.T) {
	h := newHouse(t)
	placed := h.hold(directory.Hold{User: "ada"})
	released, err := h.book.ReleaseHold(t.Context(), placed, "settled", "bob")
	h.must(err)
	if v := released.Value; v.Holds() || v.ReleasedBy != "bob" || v.ReleaseReason != "settled" || v.ReleasedAt.Before(v.PlacedAt) || v.Nonce == placed.Value.Nonce {
		t.Errorf("released %+v", v)
	}
	again, err := h.book.ReleaseHold(t.Context(), released, "", "eve")
	if diff := cmp.Diff(released, again); err != nil || diff != "" {
		t.Errorf("released again (-want +got): %v\n%s", err, diff)
	}
}

func TestLockedPoliciesMustNotContradict(t *testing.T) {
	h := newHouse(t)
	put := func(p directory.RetentionPolicy) uint64 {
		t.Helper()
		made, err := h.book.PutPolicy(t.Context(), p, 0, "admin")
		h.must(err)
		return made.Version
	}
	legal := locked(draft(group("legal"), retain, 30))
	put(legal)
	// Against everybody, the same group, a user of it just now, and a query that such a user meets.
	for _, scope := range []directory.RetentionScope{everybody(), group("legal"), only("ada"), query(`country == "DE"`)} {
		h.refused(locked(draft(scope, del, 29)), 0, "locked")
		h.refused(locked(draft(scope, retainThen, 29)), 0, "locked")
	}
	// Others, not locked, not sooner, off, and everybody else.
	put(locked(draft(group("staff"), del, 1)))
	put(draft(everybody(), del, 1))
	put(locked(draft(everybody(), del, 30)))
	others := directory.RetentionScope{Kind: directory.ScopeSelected, Exclude: &directory.Members{Groups: []string{"legal"}}}
	put(locked(draft(others, del, 5)))
	// Growing into it: longer than another still has to delete, and over its people.
	grown := legal
	grown.Action.Days = 31
	h.refused(grown, 1, "action.days")
	grown = legal
	grown.Scope = group("legal", "staff")
	h.refused(grown, 1, "scope")
	grown = legal
	grown.Name = "Legal"
	h.refused(grown, 1)
	grown.Action.Days = 1
	h.refused(grown, 2, "action.days")
	grown = legal
	grown.Enabled = false
	h.refused(grown, 2, "enabled")
	grown.Locked = false
	h.refused(grown, 2, "locked", "enabled")
}

// A lock is for good, so of two that contradict each other and come at once only one may come to be.
func TestLockedPoliciesThatComeAtOnceMustNotContradict(t *testing.T) {
	h := newHouse(t)
	const each = 4
	kinds := []directory.RetentionAction{{Kind: del, Days: 5}, {Kind: retain, Days: 9}}
	var made [2]atomic.Int32
	var wg sync.WaitGroup
	for i := range 2 * each {
		wg.Go(func() {
			_, err := h.book.PutPolicy(t.Context(), directory.RetentionPolicy{
				ID: uuid.NewString(), Org: "contoso", Name: "x", Scope: everybody(), Action: kinds[i%2], Enabled: true, Locked: true,
			}, 0, "admin")
			fields := directory.Fields(err)
			switch {
			case err == nil:
				made[i%2].Add(1)
			case len(fields) != 1 || fields[0].Field != "locked":
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if a, b := made[0].Load(), made[1].Load(); (a > 0 && b > 0) || a+b != each {
		t.Errorf("%d that delete after 5 days and %d that retain for 9 came to be", a, b)
	}
}

// TestPlaceHoldWaits for each region's decisions: here another process's, which is told of the hold's version.
func TestPlaceHoldWaits(t *testing.T) {
	h := newHouse(t)
	h.must(h.regions["amer"].MarkDecisions(t.Context(), 0, 0))
	placed := make(chan error, 1)
	go func() {
		_, err := h.book.PlaceHold(t.Context(), directory.Hold{ID: uuid.NewString(), Org: "contoso", User: "ada", Reason: "Case 7"}, "admin")
		placed <- err
	}()
	for len(h.rows.Holds.Of("contoso")) == 0 {
		select {
		case err := <-placed:
			t.Fatalf("placed without a row: %v", err)
		default:
		}
	}
	select {
	case err := <-placed:
		t.Fatalf("acknowledged while amer knows nothing of it: %v", err)
	default:
	}
	h.must(h.regions["amer"].MarkDecisions(t.Context(), 1, 0))
	h.must(<-placed)
}
