package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
)

// childArg is the hidden first argument that makes this program a sandbox. It is an argument and not an environment variable, so that nothing
// inherits it.
const childArg = "__policy-sandbox"

// The exit codes by which a child says that it passed a limit.
const (
	exitMemory = 86
	exitTime   = 87
	exitBroken = 88
)

// What can be asked of a child.
const (
	opCheck    = "check"
	opFormat   = "format"
	opTest     = "test"
	opEvaluate = "evaluate"
	opBudget   = "budget"
	opReplay   = "replay"
	opKept     = "kept"
)

// hello is the first line that a child reads.
type hello struct {
	Policy policy.Config `json:"policy"`
	Limits Limits        `json:"limits"`
	// Builtins are allowed besides; for this package's tests.
	Builtins []string `json:"builtins,omitempty"`
}

// request is the second line that a child reads.
type request struct {
	Op       string                  `json:"op"`
	Content  author.Content          `json:"content"`
	Before   author.Content          `json:"before"`
	Test     author.TestOptions      `json:"test"`
	Evaluate author.EvaluateRequest  `json:"evaluate"`
	Inputs   []json.RawMessage       `json:"inputs,omitempty"`
	Recorded []author.ReplayInput    `json:"recorded,omitempty"`
	Kept     []policy.RetentionInput `json:"kept,omitempty"`
}

// reply is a line that a child writes.
type reply struct {
	// Ready: the base is read.
	Ready bool `json:"ready,omitempty"`
	// Answer ends the conversation.
	Answer json.RawMessage `json:"answer,omitempty"`
}

// ChildMain turns the process into a sandbox if it was started as one, and never returns then. Otherwise it returns at once. Call it first in
// main, and in TestMain of every test binary that uses a Client.
func ChildMain() {
	if len(os.Args) != 2 || os.Args[1] != childArg {
		return
	}
	os.Exit(serve(os.Stdin, os.Stdout))
}

// serve answers one request.
func serve(in io.Reader, out io.Writer) int {
	said := listen(in)
	var h hello
	if err := said.read(&h); err != nil {
		return exitBroken
	}
	memory := uint64(h.Limits.MemoryMB) << 20
	limitKernel(memory, h.Limits.CPU)
	// The collector works harder before the limit is met.
	debug.SetMemoryLimit(int64(memory / 10 * 9))
	base, err := policy.NewBase(h.Policy)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitBroken
	}
	if len(h.Builtins) > 0 {
		base = base.WithBuiltins(h.Builtins...)
	}
	writer := json.NewEncoder(out)
	if err := writer.Encode(reply{Ready: true}); err != nil {
		return exitBroken
	}
	var r request
	if err := said.read(&r); err != nil {
		return exitBroken
	}
	go watch(memory, h.Limits.CPU)
	answer, err := r.answer(context.Background(), base)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitBroken
	}
	text, err := json.Marshal(answer)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitBroken
	}
	if err := writer.Encode(reply{Answer: text}); err != nil {
		return exitBroken
	}
	return 0
}

func (r request) answer(ctx context.Context, base *policy.Base) (any, error) {
	switch r.Op {
	case opCheck:
		return author.Check(ctx, base, r.Content), nil
	case opFormat:
		content, diagnostics := author.Format(r.Content)
		return Formatted{content, diagnostics}, nil
	case opTest:
		return author.Test(ctx, base, r.Content, r.Test), nil
	case opEvaluate:
		return author.Evaluate(ctx, base, r.Content, r.Evaluate), nil
	case opBudget:
		return budget(ctx, base, r.Content, r.Inputs), nil
	case opReplay:
		var answer replayed
		var err error
		if answer.Result, err = author.Replay(ctx, base, r.Before, r.Content, r.Recorded); err != nil {
			answer.Error = err.Error()
		}
		return answer, nil
	case opKept:
		var answer kept
		var err error
		if answer.Pairs, err = author.Kept(ctx, base, r.Before, r.Content, r.Kept); err != nil {
			answer.Error = err.Error()
		}
		return answer, nil
	}
	return nil, fmt.Errorf("unknown operation %q", r.Op)
}

// budget measures what a content takes of the process that it decides in.
func budget(ctx context.Context, base *policy.Base, c author.Content, inputs []json.RawMessage) Budgeted {
	var b Budgeted
	before, began := liveMemory(), cpuTime()
	loaded, err := author.Load(base, c)
	if err != nil {
		return Budgeted{Error: err.Error()}
	}
	b.Load = cpuTime() - began
	b.LiveBytes = max(liveMemory()-before, 0)
	if b.P50, b.P99, err = loaded.Budget(ctx, inputs); err != nil {
		return Budgeted{Error: err.Error()}
	}
	return b
}

// liveMemory is what is in use, bytes.
func liveMemory() int64 {
	runtime.GC()
	used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(used)
	return int64(used[0].Value.Uint64()) //nolint:gosec // no machine has so much
}

// lines are what the parent says.
type lines chan []byte

// listen reads what the parent says until it says no more: its end, however it came, is this process's end.
func listen(in io.Reader) lines {
	said := make(lines)
	go func() {
		reader := bufio.NewReaderSize(in, 1<<16)
		for {
			line, err := reader.ReadBytes('\n')
			if err != nil {
				os.Exit(exitBroken)
			}
			said <- line
		}
	}()
	return said
}

func (l lines) read(into any) error { return json.Unmarshal(<-l, into) }

// watchInterval is how often a child looks at what it has used.
const watchInterval = 10 * time.Millisecond

// watch ends this process when it has used more than it may. The kernel and the parent do so too, each in its way, in case this process no
// longer gets to it.
func watch(memory uint64, cpu time.Duration) {
	used := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(watchInterval) {
		metrics.Read(used)
		if used[0].Value.Uint64()-used[1].Value.Uint64() > memory {
			os.Exit(exitMemory)
		}
		if cpuTime() > cpu {
			os.Exit(exitTime)
		}
	}
}

// cpuTime is what this process has used of processors.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
