package proof

import (
	"fmt"
	"time"
)

// Schema is the version of Row's form. It rises when a field is added, renamed or means something else.
const Schema = 1

// Class is what kind of thing is kept.
type Class string

// The classes.
const (
	Thread    Class = "thread"    // one message of the organisation's thread
	Copy      Class = "copy"      // one guest's copy of one message
	Recording Class = "recording" // the files of one recording
	Notice    Class = "notice"    // the notices of one call
	Decision  Class = "decision"  // the decision inputs of one call
)

// Classes returns all of them, in the order that reports use.
func Classes() []Class { return []Class{Thread, Copy, Recording, Notice, Decision} }

// State is where a thing is in its life. Held is a flag beside.
type State string

// The states, in their order.
const (
	Stored      State = "stored"
	Superseded  State = "superseded"   // a newer message took the copy's place, or an edit the text's; not purged yet
	Due         State = "due"          // its time has come; not hidden yet
	Hidden      State = "hidden"       // can't be read; not purged yet
	Purged      State = "purged"       // its bytes are gone, and that was checked
	BornExpired State = "born_expired" // it was due when it arrived; purged like the others
	Unknown     State = "unknown"      // what became of it can't be told
)

// Row is what is known of one thing that was kept, as reports and the ledger have it. It has no personal data. All times are UTC, to the
// microsecond; nil is null: it hasn't happened, or doesn't apply.
type Row struct {
	// Schema is the constant.
	Schema int `json:"schema"`
	// ID is a keyed hash of class, region, message and guest: 64 hexadecimal digits. The same thing has the same id in all reports of a region.
	ID string `json:"copy_id"`
	// Nonce is random per row, 32 hexadecimal digits, so that a row's hash tells nothing to those who don't have the row. "" while the thing isn't
	// gone: its row is in no batch yet.
	Nonce        string `json:"nonce"`
	Organization string `json:"organization"`
	// Meeting is UUID text; "" for what belongs to no meeting.
	Meeting string `json:"meeting"`
	Region  string `json:"region"`
	Class   Class  `json:"class"`
	State   State  `json:"state"`
	// Held: a hold covers it, or covered it when it was asked last.
	Held   bool       `json:"held"`
	SentAt Time       `json:"sent_at"`
	DueAt  *Time      `json:"due_at"`
	Hidden *Time      `json:"hidden_at"`
	Purged *Time      `json:"purged_at"`
	Rule   AppliedAs  `json:"rule"`
	Why    GoneReason `json:"why"`
	// Lateness is from the moment it had to be gone (due, superseded, retracted, or the hold's release) until its bytes were, or, while they aren't,
	// until the report was made, in milliseconds. Null while it needn't be gone.
	Lateness *int64 `json:"lateness_ms"`
	// Attempts at purging it.
	Attempts int `json:"attempts"`
	// BrokerExpiry is when the broker will have dropped what it keeps of it, sealed to a key that is destroyed. Null for what came by no broker, and where it isn't known.
	BrokerExpiry *Time `json:"broker_expiry_at"`
}

// AppliedAs is the rule that decided how long a thing is kept.
type AppliedAs struct {
	// ID is "default", a retention policy's id, "kept" where nothing deletes, or "organization:" and the id of the organisation's own rule that shortens.
	ID string `json:"id"`
	// Version of the policy, 0 without one.
	Version uint64 `json:"version"`
	// Reason is why this rule was chosen, from the closed set of the retention policy's Rego.
	Reason string `json:"reason"`
	// Revision of the Rego that chose.
	Revision string `json:"revision"`
}

// GoneReason is why a thing had to go; "" while it hadn't.
type GoneReason string

// The reasons.
const (
	WhyDue        GoneReason = "due"
	WhySuperseded GoneReason = "superseded"
	WhyEdited     GoneReason = "edited"
	WhyRetracted  GoneReason = "retracted"  // its author deleted it
	WhyTombstoned GoneReason = "tombstoned" // it came back by a replay or a restore after it was gone
)

// Time is a moment in canonical form: RFC 3339, UTC, always six decimals.
type Time time.Time

const timeForm = "2006-01-02T15:04:05.000000Z"

// String is the canonical form.
func (t Time) String() string { return time.Time(t).UTC().Format(timeForm) }

// MarshalJSON writes the canonical form.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON reads the canonical form and nothing else.
func (t *Time) UnmarshalJSON(b []byte) error {
	parsed, err := time.Parse(`"`+timeForm+`"`, string(b))
	if err != nil {
		return fmt.Errorf("time is not of the form %s", timeForm)
	}
	*t = Time(parsed)
	return nil
}

// Canonical is the one form of a row that is hashed: JSON with the fields in the order of the struct, no spaces, no escapes that JSON doesn't
// need, no line end.
func (r *Row) Canonical() ([]byte, error) { return canonical("row", r) }

// Hash is the leaf hash of the canonical form: what a deletion batch's tree is made of.
func (r *Row) Hash() (Hash, error) {
	text, err := r.Canonical()
	if err != nil {
		return Hash{}, err
	}
	return LeafHash(text), nil
}

// ParseRow reads a canonical row. It fails if the bytes aren't exactly what Canonical would give: else two texts could stand for one row.
func ParseRow(text []byte) (Row, error) { return parse[Row]("row", text) }
