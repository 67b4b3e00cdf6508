package author

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/anteroom/anteroom/policy"
)

// How long Budget measures: until it has so many decisions or has taken so long, and each input once at least.
const (
	budgetDecisions = 3000
	budgetTime      = 2 * time.Second
)

// Loaded is a content as the service has it once it is active. It never changes.
type Loaded struct {
	engine *policy.Engine
}

// Load makes a content ready to decide; one without files is the base alone. What can't be activated is an error.
func Load(base *policy.Base, c Content) (*Loaded, error) {
	engine, err := engineOf(base, c)
	return &Loaded{engine}, err
}

// Budget measures how long decisions on the inputs take: the median and the 99th percentile, of evaluations alone. Without inputs it takes those
// that every policy meets: guests and users who join, and each capability. It is an error if a decision fails.
func (l *Loaded) Budget(ctx context.Context, inputs []json.RawMessage) (p50, p99 time.Duration, err error) {
	asked := standardInputs()
	if len(inputs) > 0 {
		asked = nil
	}
	for i, text := range inputs {
		in, err := readInput(text)
		if err != nil {
			return 0, 0, fmt.Errorf("input %d can't be decided on: %w", i, err)
		}
		asked = append(asked, in)
	}
	took := make([]time.Duration, 0, budgetDecisions)
	begin := time.Now()
	for round := 0; round == 0 || (len(took) < budgetDecisions && time.Since(begin) < budgetTime); round++ {
		for _, in := range asked {
			if err := ctx.Err(); err != nil {
				return 0, 0, err
			}
			started := time.Now()
			if _, _, err := l.engine.Try(ctx, organization, in); err != nil {
				return 0, 0, fmt.Errorf("the policy failed: %w", err)
			}
			took = append(took, time.Since(started))
		}
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], nil
}

// standardInputs are of an ordinary meeting.
func standardInputs() []policy.Input {
	var inputs []policy.Input
	for _, kind := range []string{"guest", "org_user"} {
		in := policy.Input{
			Action: policy.ActionJoin, Organization: policy.Organization{Kind: "work", AnonymousJoin: true}, Meeting: policy.Meeting{Kind: "scheduled"},
			Participant: policy.Participant{Kind: kind, State: "new"}, Session: policy.Session{OrgUsers: 1, Participants: 3, ChatMembers: 3},
		}
		inputs = append(inputs, in)
		in.Action, in.Participant.State = policy.ActionUse, "admitted"
		for _, capability := range policy.Capabilities() {
			in.Capability = capability
			inputs = append(inputs, in)
		}
	}
	return inputs
}
