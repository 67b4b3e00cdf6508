package directory

import (
	"fmt"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/policy"
)

// defaultRoleClaim is where issuers state roles unless the organisation says otherwise.
const defaultRoleClaim = "roles"

// defaultCoverageBar is in percent.
const defaultCoverageBar = 80

// Key names the organisation's control row. Organisations belong to the operator.
func (o Organization) Key() (org, id string) { return "", o.ID }

// WithDefaults fills what is empty and has a default.
func (o Organization) WithDefaults() Organization {
	if o.Kind == "" {
		o.Kind = KindWork
	}
	if o.Settings.LobbyBypass == "" {
		o.Settings.LobbyBypass = string(policy.BypassOrgUsers)
	}
	if o.Settings.AnonymousJoin == nil {
		yes := true
		o.Settings.AnonymousJoin = &yes
	}
	o.Issuer = o.Issuer.withDefaults()
	return o
}

// AllowsAnonymousJoin tells whether guests may join at all, as far as the setting goes.
func (s OrganizationSettings) AllowsAnonymousJoin() bool {
	return s.AnonymousJoin == nil || *s.AnonymousJoin
}

// CoverageBar is how many percent of the organisation's policy its tests must cover.
func (s OrganizationSettings) CoverageBar() int {
	if s.PolicyCoverageBar == nil {
		return defaultCoverageBar
	}
	return *s.PolicyCoverageBar
}

// Validate names each field that can't be kept (*FieldError, joined). Defaults are to be filled in before.
func (o Organization) Validate() error {
	var c check
	if !event.ValidOrg(o.ID) {
		c.fail("id", "must be 1 to 63 lower-case letters, digits, '.', '_' and '-', of which the first is a letter or digit")
	}
	c.text("name", o.Name, true)
	c.oneOf("kind", o.Kind, KindWork, KindPersonal)
	if !event.ValidRegion(o.Region) {
		c.fail("region", "must be 1 to 32 lower-case letters, digits and '-', of which the first is a letter or digit")
	}
	c.bypass("settings.lobby_bypass", o.Settings.LobbyBypass, false)
	c.capabilities("settings.withdrawn_capabilities", o.Settings.WithdrawnCapabilities)
	if bar := o.Settings.CoverageBar(); bar < 0 || bar > 100 {
		c.fail("settings.policy_coverage_bar", "must be a percentage from 0 to 100")
	}
	c.issuer("issuer", o.Issuer)
	c.webhooks("webhooks", o.Webhooks)
	return c.err()
}

func (i *Issuer) withDefaults() *Issuer {
	if i == nil || i.RoleClaim != "" {
		return i
	}
	out := *i
	out.RoleClaim = defaultRoleClaim
	return &out
}

func (c *check) issuer(field string, i *Issuer) {
	if i == nil {
		return
	}
	c.url(field+".url", i.URL, false)
	c.id(field+".client_id", i.ClientID)
	if i.RoleClaim != "" {
		c.id(field+".role_claim", i.RoleClaim)
	}
}

func (c *check) webhooks(field string, list []Webhook) {
	if len(list) > MaxWebhooks {
		c.fail(field, "has more than %d entries", MaxWebhooks)
		return
	}
	for i, w := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		// Whether plain http or an inner address will do is for the sender to say when it connects.
		c.url(at+".url", w.URL, true)
		if len(w.Secret) < MinWebhookSecretLen || len(w.Secret) > MaxWebhookSecretLen {
			c.fail(at+".secret", "must have %d to %d bytes", MinWebhookSecretLen, MaxWebhookSecretLen)
		}
		if len(w.Events) > MaxWebhookEvents {
			c.fail(at+".events", "has more than %d entries", MaxWebhookEvents)
			continue
		}
		c.ids(at+".events", w.Events)
	}
}
