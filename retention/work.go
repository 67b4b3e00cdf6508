package retention

import (
	"maps"
	"slices"

	"github.com/google/uuid"
)

// work is what has to be decided on again.
type work struct {
	// everything there is, found among the things themselves.
	everything bool
	// orgs whose policies or holds have changed: all that was decided on there.
	orgs map[string]bool
	// meetings by organisation, of which things or attendance are new.
	meetings map[string]map[uuid.UUID]bool
}

func newWork() work {
	return work{orgs: map[string]bool{}, meetings: map[string]map[uuid.UUID]bool{}}
}

func (w *work) meeting(org string, id uuid.UUID) {
	if w.meetings[org] == nil {
		w.meetings[org] = map[uuid.UUID]bool{}
	}
	w.meetings[org][id] = true
}

// add takes more work on.
func (w *work) add(more work) {
	w.everything = w.everything || more.everything
	maps.Copy(w.orgs, more.orgs)
	for org, ids := range more.meetings {
		for id := range ids {
			w.meeting(org, id)
		}
	}
}

// of lists the meetings of an organisation.
func (w *work) of(org string) []uuid.UUID { return slices.Collect(maps.Keys(w.meetings[org])) }
