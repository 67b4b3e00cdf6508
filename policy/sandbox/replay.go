package sandbox

import (
	"context"
	"fmt"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
)

// Replay is author.Replay in a child, with errors as Check has them and *Refused for a content that can't be activated. Many inputs are
// replayed in lots, each of so many that a child is done with them well within its limits: ten thousand are.
func (c *Client) Replay(ctx context.Context, before, after author.Content, inputs []author.ReplayInput) (author.ReplayResult, error) {
	answer, err := run[replayed](ctx, c, request{Op: opReplay, Before: before, Content: after, Recorded: inputs})
	if err == nil && answer.Error != "" {
		err = &Refused{answer.Error}
	}
	return answer.Result, err
}

// Refused says why a content can't be replayed.
type Refused struct {
	// Detail is a sentence for the author.
	Detail string
}

func (r *Refused) Error() string { return r.Detail }

type replayed struct {
	Result author.ReplayResult `json:"result"`
	Error  string              `json:"error"`
}

// Kept is author.Kept in a child, with errors as Replay has them. Many inputs are asked for in lots; two thousand are well within a child's limits.
func (c *Client) Kept(ctx context.Context, before, after author.Content, inputs []policy.RetentionInput) ([]policy.KeptPair, error) {
	answer, err := run[kept](ctx, c, request{Op: opKept, Before: before, Content: after, Kept: inputs})
	if err == nil && answer.Error != "" {
		err = &Refused{answer.Error}
	}
	if err == nil && len(answer.Pairs) != len(inputs) {
		err = fmt.Errorf("the sandbox answers %d of %d questions", len(answer.Pairs), len(inputs))
	}
	return answer.Pairs, err
}

type kept struct {
	Pairs []policy.KeptPair `json:"pairs"`
	Error string            `json:"error"`
}
