package analytics

import (
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// Labels of participants that have no name here.
const (
	// Anonymous is everybody whom nothing proves to be an org user (rule D2).
	Anonymous = "Anonymous"
	// OrgUser is a proven org user whose directory name is not known.
	OrgUser = "Org user"
)

// LabelOf is the one place where a participant gets a name.
func LabelOf(p *store.ParticipantFacts) string {
	switch {
	case p.Identity != store.OrgUser:
		return Anonymous
	case p.DisplayName != "":
		return p.DisplayName
	case p.UserID != "":
		return p.UserID
	}
	return OrgUser
}

// LabelFor is the label of whoever did something; Anonymous also for somebody whom only the timeline knows. Nil for nobody.
func (c *Call) LabelFor(id uuid.UUID) *string {
	if id == uuid.Nil {
		return nil
	}
	label, ok := c.Labels[id]
	if !ok {
		label = Anonymous
	}
	return &label
}
