package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
)

// lot is a line of inputs to replay; the last one has none.
type lot struct {
	Inputs []author.ReplayInput `json:"inputs"`
}

// Replay is author.Replay in a child, with errors as Check has them, or next's. The child has the limit Wall on each lot and no limit on the
// processor time of all together; ctx ends it.
func (c *Client) Replay(
	ctx context.Context, before, after author.Content, next func() ([]author.ReplayInput, error), progress func(done uint64),
) (result author.ReplayResult, err error) {
	release, err := c.place(ctx)
	if err != nil {
		return result, err
	}
	defer release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	child, err := c.startFor(ctx, longCPU)
	if err != nil {
		return result, err
	}
	defer child.end()
	watch := time.AfterFunc(c.cfg.Limits.Wall, func() { cancel(context.DeadlineExceeded) })
	defer watch.Stop()
	if err := child.send(request{Op: opReplay, Before: before, Content: after}); err != nil {
		return result, child.why(ctx, err)
	}
	for {
		reply, err := child.receive()
		if err != nil {
			return result, child.why(ctx, err)
		}
		watch.Stop()
		if reply.More {
			progress(reply.Done)
			inputs, err := next()
			if err != nil {
				return result, err
			}
			watch.Reset(c.cfg.Limits.Wall)
			if err := child.send(lot{inputs}); err != nil {
				return result, child.why(ctx, err)
			}
			continue
		}
		if err := json.Unmarshal(reply.Answer, &result); err != nil {
			return result, fmt.Errorf("read the sandbox's answer: %w", err)
		}
		return result, nil
	}
}

// longCPU bounds a replay's processor time.
const longCPU = time.Hour

// replay is the child's side of it.
func (r request) replay(ctx context.Context, base *policy.Base, said lines, writer *json.Encoder) (author.ReplayResult, error) {
	done := uint64(0)
	next := func() ([]author.ReplayInput, error) {
		if err := writer.Encode(reply{More: true, Done: done}); err != nil {
			return nil, err
		}
		var l lot
		err := said.read(&l)
		return l.Inputs, err
	}
	return author.Replay(ctx, base, r.Before, r.Content, next, func(n uint64) { done = n })
}
