package author

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/anteroom/anteroom/policy"
)

// ReplayInput is one distinct input of recorded decisions.
type ReplayInput struct {
	Input json.RawMessage `json:"input"`
	// Count is how many decisions had it, Example the id of one of them.
	Count   uint64 `json:"count"`
	Example string `json:"example"`
}

// ReplayResult is what another policy would have decided.
type ReplayResult struct {
	// Decisions that were replayed, and how many distinct inputs they had.
	Decisions uint64 `json:"decisions"`
	Distinct  uint64 `json:"distinct"`
	// Same and Changed are decisions; they are Decisions together.
	Same    uint64 `json:"same"`
	Changed uint64 `json:"changed"`
	// NotReplayable are decisions that are in no other number, by why: "no_input" and "not_an_input".
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
	Rule      string    `json:"rule"`
	Reason    string    `json:"reason"`
	Decisions uint64    `json:"decisions"`
	Distinct  uint64    `json:"distinct"`
	Examples  []Example `json:"examples"`
}

// Example is one decision that changes.
type Example struct {
	DecisionID string          `json:"decision_id"`
	Input      json.RawMessage `json:"input"`
	Before     Answer          `json:"before"`
	After      Answer          `json:"after"`
}

// Answer is what a policy says, as examples have it.
type Answer struct {
	// Effect is allow, lobby, deny or error.
	Effect  string   `json:"effect"`
	Reasons []string `json:"reasons"`
}

// Replay decides again on recorded inputs, by two contents; nil files stand for the base alone. next gives inputs until it gives none;
// progress is told after each of its lots how many decisions are done.
func Replay(ctx context.Context, base *policy.Base, before, after Content, next func() ([]ReplayInput, error), progress func(done uint64)) (ReplayResult, error) {
	_, _, _, _, _, _ = ctx, base, before, after, next, progress
	return ReplayResult{}, errors.New("not yet")
}
