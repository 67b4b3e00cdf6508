package sandbox

import (
	"context"

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
