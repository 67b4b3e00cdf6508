// Package evidence makes of what the store has of a thing the forms that are hashed, in one place: who deletes makes leaves of them, who reports shows
// them, who checks the ledger computes them again, and all three must come to the same bytes.
package evidence

import (
	"encoding/hex"
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
