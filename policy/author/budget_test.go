package author

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

func TestBudget(t *testing.T) {
	base := newBase(t)
	fine := own("deny contains \"x\" if input.session.participants > 900\n")
	loaded, err := Load(base, fine)
	if err != nil {
		t.Fatal(err)
	}
	p50, p99, err := loaded.Budget(context.Background(), nil)
	if err != nil || p50 <= 0 || p99 < p50 {
		t.Errorf("took %s, %s, %v", p50, p99, err)
	}
	for name, inputs := range map[string]string{"no input": `{"actoin": "join"}`, "no object": `7`} {
		if _, _, err := loaded.Budget(context.Background(), []json.RawMessage{json.RawMessage(inputs)}); err == nil || !strings.Contains(err.Error(), "input 0 can't be decided on") {
			t.Errorf("%s: %v", name, err)
		}
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := loaded.Budget(over, nil); err == nil {
		t.Error("goes on when it is cancelled")
	}
	// What has two values for one name, for users only.
	failing, err := Load(base, own("two := 1 if input.participant.organizer\n\ntwo := 2 if input.participant.organizer\n\ndeny contains \"x\" if two == 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(standardInputs()[0])
	if err != nil {
		t.Fatal(err)
	}
	organizer := json.RawMessage(strings.Replace(string(in), `"organizer":false`, `"organizer":true`, 1))
	if _, _, err := failing.Budget(context.Background(), []json.RawMessage{organizer}); err == nil || !strings.Contains(err.Error(), "the policy failed") {
		t.Errorf("fails: %v", err)
	}
	for name, c := range map[string]Content{"mistake": own("deny contains \"x\" if input.fo\n"), "recursion": own("deny contains \"x\" if a\n\na if a\n")} {
		if _, err := Load(base, c); err == nil || !strings.Contains(err.Error(), "own.rego:") {
			t.Errorf("%s: %v, want an error with its place", name, err)
		}
	}
	if _, err := Load(base, Content{}); err != nil {
		t.Errorf("the base alone: %v", err)
	}
}
