package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom/anteroom/policy/author"
)

// guest is an input that every policy can decide on.
const guest = `{"action":"join","capability":"","organization":{"kind":"work","anonymous_join":true,"enforce_webinar_roles":false,"lobby_bypass":"","withdrawn":[],"require_consent":false},"meeting":{"kind":"scheduled","organizer_lobby_bypass":"","lobby_bypass":"","withdrawn":[],"organizer_withdrawn":[],"recording":false,"transcribing":false},"participant":{"kind":"guest","state":"new","admitted_by_org_user":false,"organizer":false,"invited":false,"presenter":false,"room_device":false,"consented":false},"session":{"org_users":1,"participants":2,"chat_members":2,"room_device":false}}`

// runaway is something that would never end, or take all memory.
type runaway struct {
	// builtins that it needs and that the base doesn't allow.
	builtins []string
	content  author.Content
	run      func(ctx context.Context, c *Client, content author.Content) error
	why      string
	said     string
	// memoryMB is the limit, 192 if it is 0.
	memoryMB int
}

func evaluate(query string) func(ctx context.Context, c *Client, content author.Content) error {
	return func(ctx context.Context, c *Client, content author.Content) error {
		got, err := c.Evaluate(ctx, content, author.EvaluateRequest{Input: json.RawMessage(guest), Query: query})
		if err == nil {
			err = fmt.Errorf("evaluated: %+v", got)
		}
		return err
	}
}

func runTests(ctx context.Context, c *Client, content author.Content) error {
	got, err := c.Test(ctx, content, author.TestOptions{})
	if err == nil {
		err = fmt.Errorf("tested: %+v", got)
	}
	return err
}

// numbers is data with n of them.
func numbers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i)
	}
	return "{\"numbers\": [" + strings.Join(list, ",") + "]}"
}

// runaways get by the checks, as far as there are ways left, or need built-ins that only this test allows.
func runaways() map[string]runaway {
	const fine = "deny contains \"x\" if input.session.participants > 900\n"
	withTest := func(data string, tests string) author.Content {
		return author.Content{Files: map[string]string{
			"own.rego": header + fine, "data.json": data,
			"own_test.rego": "package anteroom.organization_test\n\nimport data.anteroom.organization\n\ntest_fine if organization.deny == set() with input.session.participants as 1\n\n" + tests,
		}}
	}
	squares := "x0 := 99999999999999999999\n\n"
	for i := range 40 {
		squares += fmt.Sprintf("x%d := x%d * x%d\n\n", i+1, i, i)
	}
	loops := ""
	for i := range 20 {
		loops += fmt.Sprintf("test_loop_%d if {\n\tsome a in data.organization.numbers\n\tsome b in data.organization.numbers\n\tsome c in data.organization.numbers\n\tsome d in data.organization.numbers\n\t((a + b) + c) + d < %d\n}\n\n", i, -1-i)
	}
	return map[string]runaway{
		"bits.lsh": {
			builtins: []string{"bits.lsh"}, content: content(fine), run: evaluate("bits.lsh(1, 2000000000)"), why: WhyTime, said: "longer than 1s of processor time",
			memoryMB: 1024,
		},
		"multiplication": {
			builtins: []string{"mul"}, content: content(fine + "\n" + squares), run: evaluate("x40"), why: WhyTime, said: "longer than 1s of processor time",
		},
		"graph.reachable_paths": {
			builtins: []string{"graph.reachable_paths", "numbers.range"}, content: content(fine), why: WhyTime, said: "longer than 1s of processor time",
			run: evaluate("graph.reachable_paths({n: [m | some m in numbers.range(0, 30); m != n] | some n in numbers.range(0, 30)}, {0})"),
		},
		"numbers.range": {
			builtins: []string{"numbers.range"}, content: content(fine), run: evaluate("numbers.range(0, 1000000000)"), why: WhyMemory, said: "more than 192 MiB",
		},

		"loops in tests": {content: withTest(numbers(2000), loops), run: runTests, why: WhyTime, said: "longer than 1s of processor time"},
		"a list of all triples": {
			content: withTest(numbers(3000), ""), run: evaluate("[[a, b, c] | some a in data.organization.numbers; some b in data.organization.numbers; some c in data.organization.numbers]"),
			why: WhyMemory, said: "more than 192 MiB",
		},
		"letters of a text": {
			content: withTest("{\"text\": \""+strings.Repeat("x", 1_000_000)+"\", \"more\": [1, 2, 3, 4, 5, 6, 7, 8, 9]}", ""),
			run:     evaluate("[[n, letter] | some n in data.organization.more; some letter in split(data.organization.text, \"\")]"), why: WhyMemory, said: "more than 192 MiB",
		},
		"an answer without end": {
			content: withTest("{\"text\": \""+strings.Repeat("x", 500_000)+"\"}", ""),
			run:     evaluate("[text | text := data.organization.text; some n in [1, 2, 3, 4, 5]]"), why: WhyOutput, said: "longer than 1 MiB",
		},
	}
}

// TestRunawaysAreKilled: whatever a policy does, its process ends within the limits, the author is told why, and the next one is answered.
func TestRunawaysAreKilled(t *testing.T) {
	for name, r := range runaways() {
		t.Run(name, func(t *testing.T) {
			memoryMB, cpu := cmp.Or(r.memoryMB, 192), time.Second
			if r.why == WhyMemory { // which takes a moment to be filled
				cpu = time.Minute
			}
			c := client(t, Config{Limits: Limits{MemoryMB: memoryMB, CPU: cpu, Wall: time.Minute, OutputMB: 1}})
			defer c.Close()
			// The evaluator's own patience is not what is tried here.
			c.policy.Timeout = time.Minute
			var mu sync.Mutex
			var peak uint64
			c.builtins, c.ended = r.builtins, func(state *os.ProcessState) {
				mu.Lock()
				defer mu.Unlock()
				peak = max(peak, peakMemory(state))
			}
			err := r.run(context.Background(), c, r.content)
			var killed *Killed
			if !errors.As(err, &killed) || killed.Why != r.why || !strings.Contains(killed.Detail, r.said) {
				t.Fatalf("%.300v, want killed because of %s: %s", err, r.why, r.said)
			}
			c.builtins = nil
			if got, err := c.Check(context.Background(), content(`deny contains "x" if input.participant.invited`)); err != nil || !got.OK {
				t.Errorf("the next one: %+v %v", got, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if limit := kernelMemory(uint64(memoryMB) << 20); peak > limit {
				t.Errorf("a child had %d bytes of memory, more than %d", peak, limit)
			}
			t.Logf("killed: %s; at most %d MiB", killed.Detail, peak>>20)
		})
	}
}

// TestKilledFromOutside: what nobody of ours ended is a crash, and told so.
func TestChildKilledFromOutsideIsACrash(t *testing.T) {
	c := client(t, Config{})
	defer c.Close()
	child, err := c.start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child.cmd.Process.Pid, syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	_, err = child.receive()
	var killed *Killed
	if err = child.why(context.Background(), err); !errors.As(err, &killed) || killed.Why != WhyCrash {
		t.Errorf("%v, want a crash", err)
	}
	child.end()
}

func TestCancelEndsTheChild(t *testing.T) {
	c := client(t, Config{Children: 1})
	defer c.Close()
	ended := make(chan struct{}, 2)
	c.ended = func(*os.ProcessState) { ended <- struct{}{} }
	ctx, cancel := context.WithCancel(context.Background())
	asked := make(chan error)
	r := runaways()["loops in tests"]
	go func() { asked <- r.run(ctx, c, r.content) }()
	// It runs when its place is taken.
	for len(c.running) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-asked; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
	<-ended
}

func TestBusy(t *testing.T) {
	c := client(t, Config{Children: 1, Queue: 1})
	defer c.Close()
	first, err := c.place(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	go func() {
		release, err := c.place(context.Background())
		if err == nil {
			defer release()
		}
		second <- err
	}()
	for len(c.waiting) < 2 {
		time.Sleep(time.Millisecond)
	}
	if _, err := c.Check(context.Background(), content("")); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	first()
	if err := <-second; err != nil {
		t.Errorf("who waited: %v", err)
	}
	if len(c.waiting) != 0 || len(c.running) != 0 {
		t.Errorf("%d wait and %d run", len(c.waiting), len(c.running))
	}
}
