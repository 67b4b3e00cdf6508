package directory

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event"
)

// Key names the resource's control row.
func (r Resource) Key() (org, id string) { return r.Org, r.ID }

// WithDefaults fills what is empty and has a default. JSON null is no key set.
func (r Resource) WithDefaults() Resource {
	r.Issuer = r.Issuer.withDefaults()
	if bytes.Equal(bytes.TrimSpace(r.Keys), []byte("null")) {
		r.Keys = nil
	}
	return r
}

// Validate names each field that can't be kept (*FieldError, joined).
func (r Resource) Validate() error {
	var c check
	c.uuid("id", r.ID)
	if !event.ValidOrg(r.Org) {
		c.fail("organization", "is not the id of an organisation")
	}
	c.text("name", r.Name, true)
	if !event.ValidRegion(r.Region) {
		c.fail("region", "must be 1 to 32 lower-case letters, digits and '-', of which the first is a letter or digit")
	}
	switch {
	case len(r.Keys) > 0 && r.Issuer != nil:
		c.fail("issuer", "and keys exclude each other: give one of the two")
	case len(r.Keys) == 0 && r.Issuer == nil:
		c.fail("keys", "is missing: give keys, or issuer")
	case r.Issuer != nil:
		c.issuer("issuer", r.Issuer)
	default:
		c.keySet("keys", r.Keys)
	}
	if len(r.Origins) > MaxOrigins {
		c.fail("origins", "has more than %d entries", MaxOrigins)
	} else {
		for i, origin := range r.Origins {
			c.origin(fmt.Sprintf("origins[%d]", i), origin)
		}
	}
	c.webhooks("webhooks", r.Webhooks)
	return c.err()
}

// uuid wants the usual text of a UUID, in lower case: ids are compared as text.
func (c *check) uuid(field, s string) {
	if id, err := uuid.Parse(s); err != nil || id.String() != s || id == uuid.Nil {
		c.fail(field, "must be an id such as 123e4567-e89b-12d3-a456-426614174000")
	}
}

// keySet wants a JSON Web Key Set (RFC 7517) of public keys that can verify signatures. That each key is a good one is for identity to
// find out; what is refused here must never be stored: private and shared keys.
func (c *check) keySet(field string, text json.RawMessage) {
	if len(text) > MaxKeySetBytes {
		c.fail(field, "has more than %d bytes", MaxKeySetBytes)
		return
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) == 0 {
		c.fail(field, `must be a JSON Web Key Set with at least one key: {"keys": […]}`)
		return
	}
	if len(set.Keys) > MaxKeys {
		c.fail(field, "has more than %d keys", MaxKeys)
		return
	}
	seen := make(map[string]bool)
	for i, key := range set.Keys {
		at := fmt.Sprintf("%s.keys[%d]", field, i)
		kind, _ := key["kty"].(string)
		c.oneOf(at+".kty", kind, "RSA", "EC", "OKP")
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, ok := key[private]; ok {
				c.fail(at+"."+private, "is part of a private or shared key: give public keys only, and make a new key, since this one has been sent")
			}
		}
		if use, ok := key["use"]; ok && use != "sig" {
			c.fail(at+".use", "must be sig")
		}
		id, _ := key["kid"].(string)
		switch {
		case id == "" && len(set.Keys) > 1:
			c.fail(at+".kid", "is missing: with several keys each needs one")
		case seen[id]:
			c.fail(at+".kid", "is in the set already")
		}
		seen[id] = true
	}
}
