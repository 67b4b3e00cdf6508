package sandbox

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
)

func TestMain(m *testing.M) {
	ChildMain()
	os.Exit(m.Run())
}

const header = "package anteroom.organization\n\n"

func client(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg, policy.DefaultConfig(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func content(rules string) author.Content {
	return author.Content{Files: map[string]string{"own.rego": header + rules + "\n"}}
}

func TestChildChecks(t *testing.T) {
	c := client(t, Config{})
	got, err := c.Check(context.Background(), content(`deny contains "x" if input.participant.knid == "guest"`))
	if err != nil {
		t.Fatal(err)
	}
	base, err := policy.NewBase(policy.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	want := author.Check(context.Background(), base, content(`deny contains "x" if input.participant.knid == "guest"`))
	if diff := cmp.Diff(want, got); diff != "" || len(got.Diagnostics) != 1 {
		t.Errorf("(-here +child):\n%s", diff)
	}
}

func BenchmarkCheck(b *testing.B) {
	c := client(b, Config{})
	for b.Loop() {
		if _, err := c.Check(context.Background(), content(`deny contains "x" if input.participant.kind == "guest"`)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestNextChildIsReady: after an answer a child waits for the next question, answers that one only, and ends with the client.
func TestNextChildIsReady(t *testing.T) {
	c := client(t, Config{})
	ended := make(chan int, 8)
	c.ended = func(state *os.ProcessState) { ended <- state.Pid() }
	ready := func() int {
		for {
			c.mu.Lock()
			spare := c.spare
			c.mu.Unlock()
			if spare != nil {
				return spare.cmd.Process.Pid
			}
			time.Sleep(time.Millisecond)
		}
	}
	ask := func() {
		t.Helper()
		if got, err := c.Check(context.Background(), content(`deny contains "x" if input.participant.invited`)); err != nil || !got.OK {
			t.Fatalf("%+v %v", got, err)
		}
	}
	ask()
	<-ended
	first := ready()
	ask()
	if pid := <-ended; pid != first {
		t.Errorf("process %d answered, %d was ready", pid, first)
	}
	second := ready()
	if second == first {
		t.Error("a process is used twice")
	}
	c.Close()
	if pid := <-ended; pid != second {
		t.Errorf("process %d ended with the client, %d was ready", pid, second)
	}
	ask() // still answered, and nothing is left
	<-ended
	c.Close()
	if c.spare != nil {
		t.Error("a process is left")
	}
}
