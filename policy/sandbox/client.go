package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
)

// ErrBusy: as many as may be are running and waiting, or the machine has no time for what runs. It says nothing of the policy.
var ErrBusy = errors.New("the service is too busy to try the policy now; try again in a moment")

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
	// builtins are allowed besides, for tests.
	builtins []string
	// running has a place for each child that runs, waiting one for each caller that runs or waits.
	running, waiting chan struct{}
	// ended is told of each child's end, for tests.
	ended func(*os.ProcessState)

	// mu guards what follows: the child that is ready for whoever comes next, whether one is being started, and whether none is wanted any more.
	mu        sync.Mutex
	spare     *process
	preparing bool
	closed    bool
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
	// Load is the processor time, and LiveBytes the memory, that it takes to have the content ready to decide.
	Load      time.Duration `json:"load"`
	LiveBytes int64         `json:"live_bytes"`
	// Error says why a decision failed; there are no times then.
	Error string `json:"error"`
}

// Budget is author.Loaded.Budget in a child, with errors as Check has them.
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
	child, err := c.take(ctx)
	if err != nil {
		return answer, err
	}
	defer func() { go c.prepare() }()
	defer child.end()
	go child.watchMemory()
	defer context.AfterFunc(ctx, func() { child.kill(WhyTime) })()
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

// spareTime is how long a child is kept that nobody uses.
const spareTime = time.Minute

// take is the child that was prepared, or a new one.
func (c *Client) take(ctx context.Context) (*process, error) {
	c.mu.Lock()
	child := c.spare
	c.spare = nil
	c.mu.Unlock()
	if child != nil && child.alive() {
		return child, nil
	}
	return c.start(ctx)
}

// prepare starts a child for whoever comes next: who changed a line asks again soon, and most of the time that a child takes is its start.
func (c *Client) prepare() {
	c.mu.Lock()
	enough := c.closed || c.spare != nil || c.preparing
	c.preparing = c.preparing || !enough
	c.mu.Unlock()
	if enough {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Limits.Wall)
	defer cancel()
	child, err := c.start(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.preparing = false
	switch {
	case err != nil:
		c.log.Warn("policy sandbox can't be prepared", slog.String("error", err.Error()))
	case c.closed:
		child.end()
	default:
		c.spare = child
		time.AfterFunc(spareTime, func() { c.drop(child) })
	}
}

// drop ends a child that is still the one that nobody used.
func (c *Client) drop(child *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spare == child {
		c.spare = nil
		child.end()
	}
}

// Close ends the child that is kept ready, if there is one. What runs goes on.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.spare != nil {
		c.spare.end()
		c.spare = nil
	}
}
