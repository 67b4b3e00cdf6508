package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
)

// ErrBusy: as many as may be are running and waiting.
var ErrBusy = errors.New("too many policies are being tried at once; try again in a moment")

// Why a child was ended.
const (
	WhyTime   = "time"
	WhyMemory = "memory"
	WhyOutput = "output"
	WhyCrash  = "crash"
)

// Killed says that a child was ended before its answer.
type Killed struct {
	// Why is one of the constants above.
	Why string
	// Detail is a sentence for the author.
	Detail string
}

func (k *Killed) Error() string { return k.Detail }

// Client runs policies in children. All methods are safe for concurrent use.
type Client struct {
	cfg    Config
	policy policy.Config
	log    *slog.Logger
	// builtins are allowed besides; for tests.
	builtins []string
	// running has a place for each child that runs, waiting one for each caller that runs or waits.
	running, waiting chan struct{}
}

// New makes a client; it starts nothing. base is the operator's configuration, over which policies are tried.
func New(cfg Config, base policy.Config, log *slog.Logger) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Client{
		cfg: cfg, policy: base, log: log,
		running: make(chan struct{}, cfg.Children), waiting: make(chan struct{}, cfg.Children+cfg.Queue),
	}, nil
}

// Check is author.Check in a child. The error is ErrBusy, a *Killed, or the context's.
func (c *Client) Check(ctx context.Context, content author.Content) (author.CheckResult, error) {
	return run[author.CheckResult](ctx, c, request{Op: opCheck, Content: content})
}

// Formatted is what Format gives.
type Formatted struct {
	Content     author.Content      `json:"content"`
	Diagnostics []author.Diagnostic `json:"diagnostics"`
}

// Format is author.Format in a child, with errors as Check has them.
func (c *Client) Format(ctx context.Context, content author.Content) (Formatted, error) {
	return run[Formatted](ctx, c, request{Op: opFormat, Content: content})
}

// Test is author.Test in a child, with errors as Check has them.
func (c *Client) Test(ctx context.Context, content author.Content, options author.TestOptions) (author.TestResult, error) {
	return run[author.TestResult](ctx, c, request{Op: opTest, Content: content, Test: options})
}

// Evaluate is author.Evaluate in a child, with errors as Check has them.
func (c *Client) Evaluate(ctx context.Context, content author.Content, ask author.EvaluateRequest) (author.Evaluation, error) {
	return run[author.Evaluation](ctx, c, request{Op: opEvaluate, Content: content, Evaluate: ask})
}

// Budgeted is what Budget gives.
type Budgeted struct {
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	// Error says why a decision failed; there are no times then.
	Error string `json:"error"`
}

// Budget is author.Budget in a child, with errors as Check has them.
func (c *Client) Budget(ctx context.Context, content author.Content, inputs []json.RawMessage) (Budgeted, error) {
	return run[Budgeted](ctx, c, request{Op: opBudget, Content: content, Inputs: inputs})
}

// place waits for the caller's turn; release gives it back.
func (c *Client) place(ctx context.Context) (release func(), err error) {
	select {
	case c.waiting <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	select {
	case c.running <- struct{}{}:
		return func() { <-c.running; <-c.waiting }, nil
	case <-ctx.Done():
		<-c.waiting
		return nil, ctx.Err()
	}
}

// run has one request answered by a child.
func run[T any](ctx context.Context, c *Client, r request) (answer T, err error) {
	release, err := c.place(ctx)
	if err != nil {
		return answer, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Limits.Wall)
	defer cancel()
	child, err := c.start(ctx)
	if err != nil {
		return answer, err
	}
	defer child.end()
	if err := child.send(r); err != nil {
		return answer, child.why(ctx, err)
	}
	reply, err := child.receive()
	if err != nil {
		return answer, child.why(ctx, err)
	}
	if err := json.Unmarshal(reply.Answer, &answer); err != nil {
		return answer, fmt.Errorf("read the sandbox's answer: %w", err)
	}
	return answer, nil
}
