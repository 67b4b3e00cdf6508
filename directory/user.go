package directory

import (
	"maps"
	"slices"

	"github.com/anteroom/anteroom/event"
)

// Key names the user's control row.
func (u User) Key() (org, id string) { return u.Org, u.ID }

// WithDefaults is the user as it is: nothing has a default.
func (u User) WithDefaults() User { return u }

// Validate names each field that can't be kept (*FieldError, joined).
func (u User) Validate() error {
	var c check
	c.id("id", u.ID)
	if !event.ValidOrg(u.Org) {
		c.fail("organization", "is not the id of an organisation")
	}
	c.text("name", u.Name, true)
	c.ids("groups", u.Groups)
	if len(u.Attributes) > MaxAttributes {
		c.fail("attributes", "has more than %d entries", MaxAttributes)
	} else {
		for _, name := range slices.Sorted(maps.Keys(u.Attributes)) {
			c.id("attributes", name)
			c.text("attributes."+name, u.Attributes[name], false)
		}
	}
	c.bypass("lobby_bypass", u.LobbyBypass, true)
	c.capabilities("withdrawn_capabilities", u.WithdrawnCapabilities)
	return c.err()
}
