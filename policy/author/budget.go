package author

import (
	"context"
	"encoding/json"
	"errors"
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
	// kept decides how long things are kept; nil if the content doesn't speak of that.
	kept *policy.KeptBy
}

// Load makes a content ready to decide; one without files is the base alone. What can't be activated is an error.
func Load(base *policy.Base, c Content) (*Loaded, error) {
	engine, err := engineOf(base, c)
	l := &Loaded{engine: engine}
	if err == nil && c.SpeaksOfPeriods() {
		l.kept, err = keptBy(base, c)
	}
	return l, err
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
	kept, err := l.keptBudget(ctx)
	return took[len(took)/2], max(took[len(took)*99/100], kept), err
}

// keptRounds is how often each question about periods is asked.
const keptRounds = 50

// keptBudget measures how long rules on periods take, the 99th percentile; 0 if there are none. It is an error if they fail on what any of them will be asked.
func (l *Loaded) keptBudget(ctx context.Context) (time.Duration, error) {
	if l.kept == nil {
		return 0, nil
	}
	var took []time.Duration
	for range keptRounds {
		for _, in := range keptInputs() {
			started := time.Now()
			_, failure, err := l.kept.Try(ctx, in)
			if err := errors.Join(failure, err); err != nil {
				return 0, fmt.Errorf("the rules on how long chat is kept failed: %w", err)
			}
			took = append(took, time.Since(started))
		}
	}
	slices.Sort(took)
	return took[len(took)*99/100], nil
}

// keptInputs are of the thread and of copies, without policies and with such as there are.
func keptInputs() []policy.RetentionInput {
	deletes := policy.RetentionPolicy{ID: "11111111-0000-8000-8000-000000000001", Version: 1, Action: "delete", Days: 90, Why: []string{"organization"}}
	retains := policy.RetentionPolicy{ID: "11111111-0000-8000-8000-000000000002", Version: 2, Action: "retain", Days: 365, Locked: true, Why: []string{"group", "user"}}
	var inputs []policy.RetentionInput
	for class, resource := range map[string]string{"copy": "22222222-0000-8000-8000-000000000001", "thread": ""} {
		for _, policies := range [][]policy.RetentionPolicy{nil, {deletes}, {deletes, retains}} {
			inputs = append(inputs, policy.RetentionInput{Class: class, Resource: resource, Policies: policies})
		}
	}
	return inputs
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
