package directory

import (
	"time"

	"github.com/anteroom/anteroom/event"
)

// Hold stops deletion of what it is on until it is released.
type Hold struct {
	// ID is UUID text.
	ID  string `json:"id"`
	Org string `json:"organization"`
	// Meeting, User and Resource: exactly one is set. On a user it covers each meeting that the user joined, on a resource the copies of its guests.
	Meeting  string `json:"meeting,omitempty"`
	User     string `json:"user,omitempty"`
	Resource string `json:"resource,omitempty"`
	// Reason that people read.
	Reason   string    `json:"reason"`
	PlacedBy string    `json:"placed_by"`
	PlacedAt time.Time `json:"placed_at"`
	// ReleasedAt is nil while it holds. A hold that was released stays so.
	ReleasedAt    *time.Time `json:"released_at,omitempty"`
	ReleasedBy    string     `json:"released_by,omitempty"`
	ReleaseReason string     `json:"release_reason,omitempty"`
	// Nonce as of a RetentionPolicy.
	Nonce string `json:"nonce"`
}

// Key names the hold's control row.
func (h Hold) Key() (org, id string) { return h.Org, h.ID }

// WithDefaults is the hold as it is: nothing has a default.
func (h Hold) WithDefaults() Hold { return h }

// Holds tells whether it still does.
func (h Hold) Holds() bool { return h.ReleasedAt == nil }

// On names the field that says what it is on, and its value.
func (h Hold) On() (field, id string) {
	switch {
	case h.Meeting != "":
		return "meeting", h.Meeting
	case h.User != "":
		return "user", h.User
	}
	return "resource", h.Resource
}

// Validate names each field that can't be kept (*FieldError, joined). That what it is on exists is for whoever knows the directory.
func (h Hold) Validate() error {
	var c check
	c.uuid("id", h.ID)
	if !event.ValidOrg(h.Org) {
		c.fail("organization", "is not the id of an organisation")
	}
	c.holdOn(h)
	c.text("reason", h.Reason, true)
	c.text("placed_by", h.PlacedBy, true)
	if !event.ValidTime(h.PlacedAt.UnixMicro()) {
		c.fail("placed_at", "must lie in the years 2000 to 2099")
	}
	if h.Holds() {
		if h.ReleasedBy != "" || h.ReleaseReason != "" {
			c.fail("released_at", "is missing")
		}
	} else {
		if h.ReleasedAt.Before(h.PlacedAt) {
			c.fail("released_at", "is before placed_at")
		}
		c.text("released_by", h.ReleasedBy, true)
		c.text("release_reason", h.ReleaseReason, false)
	}
	c.nonce("nonce", h.Nonce)
	return c.err()
}

func (c *check) holdOn(h Hold) {
	named := 0
	for _, on := range []struct{ field, id string }{{"meeting", h.Meeting}, {"user", h.User}, {"resource", h.Resource}} {
		if on.id == "" {
			continue
		}
		if named++; named > 1 {
			c.fail(on.field, "is set besides: a hold is on exactly one of meeting, user and resource")
		}
		if on.field == "user" {
			c.id(on.field, on.id)
		} else {
			c.uuid(on.field, on.id)
		}
	}
	if named == 0 {
		c.fail("meeting", "is missing: a hold is on exactly one of meeting, user and resource")
	}
}
