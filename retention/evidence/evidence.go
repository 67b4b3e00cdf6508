// Package evidence makes of what the store has of a thing the forms that are hashed, in one place: who deletes makes leaves of them, who reports shows
// them, who checks the ledger computes them again, and all three must come to the same bytes.
package evidence

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// Row is what a deletion batch's tree is made of: the row of a thing that is gone.
func Row(region string, e *store.Evidence) proof.Row {
	lateness := e.LatenessMs
	hidden, purged := proof.Time(e.HiddenAt), proof.Time(e.PurgedAt)
	state := proof.Purged
	if e.Born {
		state = proof.BornExpired
	}
	return proof.Row{
		Schema: proof.Schema, ID: hex.EncodeToString(e.CopyID[:]), Nonce: hex.EncodeToString(e.Nonce[:]),
		Organization: e.Org, Meeting: ID(e.MeetingID), Region: region, Class: proof.Class(e.Class), State: state, Held: e.Held,
		SentAt: proof.Time(e.SentAt), DueAt: Moment(e.DueAt), Hidden: &hidden, Purged: &purged,
		Rule: proof.AppliedAs{ID: e.RuleID, Version: e.RuleVersion, Reason: e.Reason, Revision: e.Revision},
		Why:  proof.GoneReason(e.Why), Lateness: &lateness, Attempts: int(e.Attempts), BrokerExpiry: Moment(e.BrokerExpiryAt),
	}
}

// Thing is what a stored batch's tree is made of.
func Thing(region string, t *store.StoredThing) proof.StoredThing {
	return proof.StoredThing{
		Schema: proof.Schema, ID: hex.EncodeToString(t.CopyID[:]), Organization: t.Org, Region: region, Class: proof.Class(t.Class), SentAt: proof.Time(t.SentAt),
	}
}

// Kinds of control rows whose versions have a leaf each in the home region's ledger.
const (
	KindPolicy = "retention_policy"
	KindHold   = "hold"
)

// Change is a version of a policy or a hold as the ledger knows it; false for control rows of other kinds. A deletion has the value null.
func Change(row *store.Control) (proof.Change, bool) {
	c := proof.Change{
		Schema: proof.Schema, What: proof.LeafPolicy, Organization: row.Org, ID: row.ID, Version: row.Version, By: row.Author, At: proof.Time(row.At), Value: row.Value,
	}
	if row.Kind == KindHold {
		c.What = proof.LeafHold
	}
	if row.Deleted {
		c.Value = json.RawMessage("null")
	}
	return c, row.Kind == KindPolicy || row.Kind == KindHold
}

// ID is an id as rows have it: "" for none.
func ID(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// Moment is a time as rows have it: null for none.
func Moment(t *time.Time) *proof.Time {
	if t == nil {
		return nil
	}
	out := proof.Time(*t)
	return &out
}
