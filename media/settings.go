package media

import (
	"context"
	"reflect"

	"golang.org/x/sync/errgroup"

	"github.com/anteroom/anteroom/media/meeting"
)

// maxUpdates is how many meetings take changes at once.
const maxUpdates = 16

// settingsChanged notes that what Control says of a meeting changed; "" is any meeting.
func (n *Node) settingsChanged(meetingID string) {
	n.mu.Lock()
	n.changed[meetingID] = struct{}{}
	n.mu.Unlock()
	n.poke()
}

// PolicyChanged has the meetings of an organisation ask policy again for everybody; "" is every organisation. It never blocks.
func (n *Node) PolicyChanged(org string) {
	n.mu.Lock()
	n.policies[org] = struct{}{}
	n.mu.Unlock()
	n.poke()
}

// applyChanges hands what changed to the meetings it concerns. A change that comes meanwhile is noted
// again and taken with the next round.
func (n *Node) applyChanges(ctx context.Context, work *errgroup.Group) {
	n.mu.Lock()
	changed, policies := n.changed, n.policies
	if len(changed) == 0 && len(policies) == 0 {
		n.mu.Unlock()
		return
	}
	n.changed, n.policies = make(map[string]struct{}), make(map[string]struct{})
	type task struct {
		r                  *running
		settings, policies bool
	}
	var tasks []task
	_, all := changed[""]
	_, everywhere := policies[""]
	for id, r := range n.running {
		_, one := changed[id]
		_, org := policies[r.facts.Organization.ID]
		if all || one || everywhere || org {
			tasks = append(tasks, task{r: r, settings: all || one, policies: everywhere || org})
		}
	}
	n.mu.Unlock()
	for _, t := range tasks {
		work.Go(func() error {
			if !t.r.runs() {
				return nil // If it is just beginning: begin compares the facts once it is ready, and asks policy as it is then.
			}
			if t.settings {
				n.update(ctx, t.r)
			}
			if t.policies {
				t.r.meeting.Reconsider(ctx)
			}
			return nil
		})
	}
}

// runs tells whether the session has begun, without waiting for it.
func (r *running) runs() bool {
	select {
	case <-r.ready:
		return r.err == nil
	default:
		return false
	}
}

// update gives a meeting what Control says now. One that was cancelled or is not there any more ends.
func (n *Node) update(ctx context.Context, r *running) {
	r.updating.Lock()
	defer r.updating.Unlock()
	facts, ok := n.deps.Control.Meeting(r.id)
	if !ok || facts.Meeting.Cancelled {
		r.meeting.End(ctx, meeting.EndedByUser)
		return
	}
	n.mu.Lock()
	same := reflect.DeepEqual(facts, r.facts)
	r.facts = facts
	n.mu.Unlock()
	if same {
		return
	}
	n.metrics.updates.Inc()
	r.meeting.Update(ctx, facts)
}
