package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom/anteroom/policy/author"
)

// TestABusyMachineIsNotThePolicysFault: who was given no processor time until the wall's limit is told to try again, not that the policy is slow.
func TestABusyMachineIsNotThePolicysFault(t *testing.T) {
	c := client(t, Config{Limits: Limits{Wall: 2 * time.Second}})
	defer c.Close()
	child, err := c.start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// It is stopped, as one that others leave nothing to.
	if err := syscall.Kill(child.cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	c.spare = child
	if _, err := c.Check(context.Background(), content(`deny contains "x" if input.participant.invited`)); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	if child.alive() {
		t.Error("the child is left")
	}
}

func TestChildMeasures(t *testing.T) {
	c := client(t, Config{})
	defer c.Close()
	small, err := c.Budget(context.Background(), content(`deny contains "x" if input.participant.invited`), nil)
	if err != nil || small.Error != "" || small.Load <= 0 || small.P50 <= 0 || small.P99 < small.P50 {
		t.Fatalf("measured %+v, %v", small, err)
	}
	numbers := author.Content{Files: map[string]string{"own.rego": header + "deny contains \"x\" if input.participant.invited\n", "data.json": numbers(100_000)}}
	large, err := c.Budget(context.Background(), numbers, nil)
	if err != nil || large.LiveBytes < small.LiveBytes+100_000*8 {
		t.Errorf("a policy with data takes %d bytes, one without %d: %v", large.LiveBytes, small.LiveBytes, err)
	}
	refused, err := c.Budget(context.Background(), content("deny contains"), []json.RawMessage{[]byte(guest)})
	if err != nil || refused.Error == "" || refused.Load != 0 {
		t.Errorf("a policy with mistakes: %+v, %v", refused, err)
	}
}
