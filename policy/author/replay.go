package author

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/anteroom/anteroom/policy"
)

// ReplayInput is one distinct input of recorded decisions.
type ReplayInput struct {
	Input json.RawMessage `json:"input"`
	// Count is how many decisions had it, Example the id of one of them.
	Count   uint64 `json:"count"`
	Example string `json:"example"`
}

// Why decisions can't be replayed.
const (
	// NoInput: the input wasn't kept, or was masked.
	NoInput = "no_input"
	// NotAnInput: what was kept is no input of this version.
	NotAnInput = "not_an_input"
)

// ReplayResult is what another policy would have decided.
type ReplayResult struct {
	// Decisions that were replayed, and how many distinct inputs they had.
	Decisions uint64 `json:"decisions"`
	Distinct  uint64 `json:"distinct"`
	// Same and Changed are decisions; they are Decisions together.
	Same    uint64 `json:"same"`
	Changed uint64 `json:"changed"`
	// NotReplayable are decisions that are in no other number, by why: NoInput or NotAnInput.
	NotReplayable map[string]uint64 `json:"not_replayable"`
	// Differences, those of most decisions first.
	Differences []Difference `json:"differences"`
}

// Difference are decisions that change in the same way because of the same rule.
type Difference struct {
	// From and To are allow, lobby, deny or error; they are equal if only the reasons change.
	From string `json:"from"`
	To   string `json:"to"`
	// Rule and Reason are of the rule that refuses now and didn't, or else of the one that no longer refuses. Rule is "" if it gives none.
	Rule      string `json:"rule"`
	Reason    string `json:"reason"`
	Decisions uint64 `json:"decisions"`
	Distinct  uint64 `json:"distinct"`
	// Examples are at most MaxExamples, those of most decisions.
	Examples []Example `json:"examples"`
}

// MaxExamples is how many a Difference has.
const MaxExamples = 5

// Example is one decision that changes.
type Example struct {
	DecisionID string          `json:"decision_id"`
	Input      json.RawMessage `json:"input"`
	// Count is how many decisions had this input.
	Count  uint64 `json:"count"`
	Before Answer `json:"before"`
	After  Answer `json:"after"`
}

// Answer is what a policy says, as examples have it.
type Answer struct {
	// Effect is allow, lobby, deny or error.
	Effect  string   `json:"effect"`
	Reasons []string `json:"reasons"`
}

// EffectError is what a Difference says of a policy that failed.
const EffectError = "error"

// Replay decides again on distinct recorded inputs, by two contents; one without files is the base alone. A content that can't be activated is
// an error, one that fails on an input is a difference.
func Replay(ctx context.Context, base *policy.Base, before, after Content, inputs []ReplayInput) (ReplayResult, error) {
	var r replay
	var err error
	if r.before, err = engineOf(base, before); err != nil {
		return ReplayResult{}, fmt.Errorf("before: %w", err)
	}
	if r.after, err = engineOf(base, after); err != nil {
		return ReplayResult{}, fmt.Errorf("after: %w", err)
	}
	result := newReplayResult()
	var workers sync.WaitGroup
	var mu sync.Mutex
	for lot := range slices.Chunk(inputs, max(1, (len(inputs)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))) {
		workers.Go(func() {
			part := newReplayResult()
			for i := range lot {
				if ctx.Err() != nil {
					return
				}
				r.one(ctx, &lot[i], &part)
			}
			mu.Lock()
			defer mu.Unlock()
			result.Add(part)
		})
	}
	workers.Wait()
	return result, ctx.Err()
}

func newReplayResult() ReplayResult {
	return ReplayResult{NotReplayable: map[string]uint64{}, Differences: []Difference{}}
}

// Add puts the result of other inputs to this one.
func (r *ReplayResult) Add(other ReplayResult) {
	r.Decisions += other.Decisions
	r.Distinct += other.Distinct
	r.Same += other.Same
	r.Changed += other.Changed
	if r.NotReplayable == nil {
		r.NotReplayable = map[string]uint64{}
	}
	for why, n := range other.NotReplayable {
		r.NotReplayable[why] += n
	}
	for _, d := range other.Differences {
		r.differs(d)
	}
	slices.SortFunc(r.Differences, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(y.Decisions, x.Decisions), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Reason, y.Reason), cmp.Compare(x.From+x.To, y.From+y.To))
	})
}

// differs puts decisions that change to those that change alike.
func (r *ReplayResult) differs(d Difference) {
	i := slices.IndexFunc(r.Differences, func(x Difference) bool {
		return x.From == d.From && x.To == d.To && x.Rule == d.Rule && x.Reason == d.Reason
	})
	if i < 0 {
		r.Differences = append(r.Differences, d)
		return
	}
	into := &r.Differences[i]
	into.Decisions += d.Decisions
	into.Distinct += d.Distinct
	into.Examples = append(slices.Clip(into.Examples), d.Examples...)
	slices.SortStableFunc(into.Examples, func(x, y Example) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.DecisionID, y.DecisionID))
	})
	into.Examples = into.Examples[:min(len(into.Examples), MaxExamples)]
}

type replay struct {
	before, after *policy.Engine
}

// verdict is what one policy says of one input.
type verdict struct {
	effect   string
	decision policy.Decision
	refusals []policy.Refusal
}

func decideFor(ctx context.Context, engine *policy.Engine, in policy.Input) verdict {
	decision, refusals, err := engine.Replay(ctx, organization, in)
	if err != nil {
		return verdict{effect: EffectError, refusals: []policy.Refusal{{Reason: policy.PolicyFailed}}}
	}
	return verdict{string(decision.Effect), decision, refusals}
}

func (v verdict) answer() Answer {
	a := Answer{Effect: v.effect, Reasons: []string{}}
	if v.effect == EffectError {
		a.Reasons = append(a.Reasons, string(policy.PolicyFailed))
	}
	for _, reason := range v.decision.Reasons {
		a.Reasons = append(a.Reasons, string(reason))
	}
	return a
}

// one replays an input.
func (r replay) one(ctx context.Context, recorded *ReplayInput, result *ReplayResult) {
	if len(recorded.Input) == 0 || bytes.Equal(bytes.TrimSpace(recorded.Input), []byte("null")) {
		result.NotReplayable[NoInput] += recorded.Count
		return
	}
	in, err := readInput(recorded.Input)
	if err != nil {
		result.NotReplayable[NotAnInput] += recorded.Count
		return
	}
	result.Decisions += recorded.Count
	result.Distinct++
	before, after := decideFor(ctx, r.before, in), decideFor(ctx, r.after, in)
	if before.effect == after.effect && slices.Equal(before.refusals, after.refusals) {
		result.Same += recorded.Count
		return
	}
	result.Changed += recorded.Count
	because := cause(before, after)
	result.differs(Difference{
		From: before.effect, To: after.effect, Rule: because.Rule, Reason: string(because.Reason), Decisions: recorded.Count, Distinct: 1,
		Examples: []Example{{recorded.Example, recorded.Input, recorded.Count, before.answer(), after.answer()}},
	})
}

// cause is the rule that makes the difference: where it becomes stricter the first that refuses and didn't, else the first that no longer does.
func cause(before, after verdict) policy.Refusal {
	gained, lost := without(after.refusals, before.refusals), without(before.refusals, after.refusals)
	order := []string{string(policy.Allow), string(policy.Lobby), string(policy.Deny), EffectError}
	first, second := gained, lost
	if slices.Index(order, after.effect) < slices.Index(order, before.effect) {
		first, second = lost, gained
	}
	for _, list := range [][]policy.Refusal{first, second} {
		if len(list) > 0 {
			return list[0]
		}
	}
	return policy.Refusal{}
}

func without(list, others []policy.Refusal) []policy.Refusal {
	return slices.DeleteFunc(slices.Clone(list), func(r policy.Refusal) bool { return slices.Contains(others, r) })
}
