package author

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/anteroom/anteroom/policy"
)

// Budget measures how long decisions on the inputs take: the median and the 99th percentile, of evaluations alone.
func Budget(ctx context.Context, base *policy.Base, c Content, inputs []json.RawMessage) (p50, p99 time.Duration, err error) {
	_, _, _, _ = ctx, base, c, inputs
	return 0, 0, errors.New("not yet")
}
