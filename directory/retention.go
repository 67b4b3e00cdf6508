package directory

import (
	"slices"

	"github.com/anteroom/anteroom/event"
)

// MaxRetentionDays is the longest period of a retention policy: 100 years.
const MaxRetentionDays = 36_500

// Actions of retention policies.
const (
	// RetentionDelete deletes things so many days after they were sent.
	RetentionDelete = "delete"
	// RetentionRetain keeps things for at least so many days, and deletes nothing.
	RetentionRetain = "retain"
	// RetentionRetainThenDelete keeps them for so many days and deletes them then.
	RetentionRetainThenDelete = "retain_then_delete"
)

// Kinds of scopes of retention policies.
const (
	// ScopeOrganization is every user.
	ScopeOrganization = "organization"
	// ScopeSelected are users and groups that are named.
	ScopeSelected = "selected"
	// ScopeAdaptive are the users who meet a query just now.
	ScopeAdaptive = "adaptive"
)

// Why is how a user comes to be in a policy's scope. Later ones are more specific.
type Why string

// The ways into a scope, from the least specific.
const (
	WhyOrganization Why = "organization" // as everybody is
	WhyAdaptive     Why = "adaptive"     // by the query
	WhyGroup        Why = "group"        // by a group that is named
	WhyUser         Why = "user"         // by name
)

// RetentionPolicy says how long the chat of an organisation's users is kept. What several of them come to for one meeting, the Rego package
// anteroom.retention decides.
type RetentionPolicy struct {
	// ID is UUID text.
	ID     string          `json:"id"`
	Org    string          `json:"organization"`
	Name   string          `json:"name"`
	Scope  RetentionScope  `json:"scope"`
	Action RetentionAction `json:"action"`
	// Enabled: it counts.
	Enabled bool `json:"enabled"`
	// Locked: it can only grow from now on; see Grows. For good.
	Locked bool `json:"locked"`
	// Nonce is random per version, 32 hexadecimal digits: the version's digest in the ledger tells nothing to those who don't have the version.
	Nonce string `json:"nonce"`
}

// RetentionScope says whose meetings a policy speaks of.
type RetentionScope struct {
	// Kind is "organization", "selected" or "adaptive".
	Kind string `json:"kind"`
	// Include and Exclude of "selected". Whoever is excluded is out, however often included; with nobody included it is everybody else.
	Include *Members `json:"include,omitempty"`
	Exclude *Members `json:"exclude,omitempty"`
	// Query of "adaptive"; see Query.
	Query string `json:"query,omitempty"`
}

// Members are users and groups by id.
type Members struct {
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// RetentionAction is what a policy does.
type RetentionAction struct {
	// Kind is "delete", "retain" or "retain_then_delete".
	Kind string `json:"kind"`
	// Days from sending, 1 to MaxRetentionDays.
	Days int `json:"days"`
}

// Deletes tells whether the action deletes at some time.
func (a RetentionAction) Deletes() bool { return a.Kind != RetentionRetain }

// Retains tells whether the action keeps things for some time.
func (a RetentionAction) Retains() bool { return a.Kind != RetentionDelete }

// Key names the policy's control row.
func (p RetentionPolicy) Key() (org, id string) { return p.Org, p.ID }

// WithDefaults drops what is empty, so that one value has one form.
func (p RetentionPolicy) WithDefaults() RetentionPolicy {
	p.Scope.Include, p.Scope.Exclude = p.Scope.Include.orNil(), p.Scope.Exclude.orNil()
	return p
}

func (m *Members) orNil() *Members {
	if m.empty() {
		return nil
	}
	return m
}

func (m *Members) empty() bool { return m == nil || len(m.Users)+len(m.Groups) == 0 }

func (m *Members) users() []string {
	if m == nil {
		return nil
	}
	return m.Users
}

func (m *Members) groups() []string {
	if m == nil {
		return nil
	}
	return m.Groups
}

// way tells how a user is among the members; "" for not at all.
func (m *Members) way(u *User) Why {
	switch {
	case m == nil:
		return ""
	case slices.Contains(m.Users, u.ID):
		return WhyUser
	case slices.ContainsFunc(u.Groups, func(group string) bool { return slices.Contains(m.Groups, group) }):
		return WhyGroup
	}
	return ""
}

// Coverage is a scope made ready to be asked for many users.
type Coverage struct {
	scope RetentionScope
	query *Query
}

// Coverage makes a scope ready. It fails with *QueryError if the query can't be read.
func (s RetentionScope) Coverage() (Coverage, error) {
	c := Coverage{scope: s}
	var err error
	if s.Kind == ScopeAdaptive {
		c.query, err = ParseQuery(s.Query)
	}
	return c, err
}

// Covers tells whether a user is in the scope, and by which way. Somebody the directory has no row of is a User with nothing but an id.
func (c Coverage) Covers(u *User) (Why, bool) {
	switch {
	case c.scope.Kind == ScopeOrganization:
		return WhyOrganization, true
	case c.scope.Kind == ScopeAdaptive:
		return WhyAdaptive, c.query.Matches(u.Attributes)
	case c.scope.Exclude.way(u) != "":
		return "", false
	case c.scope.Include.empty():
		return WhyOrganization, true
	}
	why := c.scope.Include.way(u)
	return why, why != ""
}

// Validate names each field that can't be kept (*FieldError, joined). That what it names exists is for whoever knows the directory.
func (p RetentionPolicy) Validate() error {
	var c check
	c.uuid("id", p.ID)
	if !event.ValidOrg(p.Org) {
		c.fail("organization", "is not the id of an organisation")
	}
	c.text("name", p.Name, true)
	c.scope("scope", p.Scope)
	c.oneOf("action.kind", p.Action.Kind, RetentionDelete, RetentionRetain, RetentionRetainThenDelete)
	if p.Action.Days < 1 || p.Action.Days > MaxRetentionDays {
		c.fail("action.days", "must be 1 to %d", MaxRetentionDays)
	}
	if p.Locked && !p.Enabled {
		c.fail("enabled", "must be true: a policy that is locked is on, for good")
	}
	c.nonce("nonce", p.Nonce)
	return c.err()
}

func (c *check) scope(field string, s RetentionScope) {
	c.oneOf(field+".kind", s.Kind, ScopeOrganization, ScopeSelected, ScopeAdaptive)
	if s.Kind != ScopeSelected {
		for name, members := range map[string]*Members{"include": s.Include, "exclude": s.Exclude} {
			if !members.empty() {
				c.fail(field+"."+name, "is set, and only a scope of kind %s has it", ScopeSelected)
			}
		}
	}
	if s.Kind != ScopeAdaptive && s.Query != "" {
		c.fail(field+".query", "is set, and only a scope of kind %s has it", ScopeAdaptive)
	}
	switch s.Kind {
	case ScopeSelected:
		if s.Include.empty() && s.Exclude.empty() {
			c.fail(field+".include", "is missing: name users or groups to include or to exclude")
		}
		c.ids(field+".include.users", s.Include.users())
		c.ids(field+".include.groups", s.Include.groups())
		c.ids(field+".exclude.users", s.Exclude.users())
		c.ids(field+".exclude.groups", s.Exclude.groups())
	case ScopeAdaptive:
		if _, err := ParseQuery(s.Query); s.Query == "" {
			c.fail(field+".query", "is missing")
		} else if err != nil {
			c.fail(field+".query", "can't be read %s", err)
		}
	}
}

// nonce wants what NewNonce makes.
func (c *check) nonce(field, s string) {
	if len(s) != nonceDigits {
		c.fail(field, "must have %d hexadecimal digits", nonceDigits)
	}
}

const nonceDigits = 32
