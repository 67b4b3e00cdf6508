package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/store"
)

// agent is a stock OPA.
type agent struct {
	t      *testing.T
	client *http.Client
}

// startAgent runs `opa run` of the version that the engine is made of, which gets its bundle here and sends its log here.
func (r *rig) startAgent() *agent {
	r.t.Helper()
	found, err := exec.CommandContext(r.t.Context(), "go", "tool", "-n", "-modfile=../../tools/opa.mod", "opa").Output()
	if err != nil {
		r.t.Fatalf("build the stock OPA: %v", err)
	}
	dir := r.t.TempDir()
	config, err := json.Marshal(map[string]any{
		"services": map[string]any{"anteroom": map[string]any{
			"url": r.url, "credentials": map[string]any{"bearer": map[string]any{"token": r.token}},
		}},
		"keys": map[string]any{r.key.ID: map[string]any{"algorithm": "ES256", "key": r.key.Public}},
		"bundles": map[string]any{"contoso": map[string]any{
			"service": "anteroom", "resource": "bundles/contoso", "signing": map[string]any{"keyid": r.key.ID},
			"polling": map[string]any{"long_polling_timeout_seconds": 30},
		}},
		"decision_logs": map[string]any{"service": "anteroom", "reporting": map[string]any{"min_delay_seconds": 1, "max_delay_seconds": 1}},
		"status":        map[string]any{"service": "anteroom"},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	file, socket := filepath.Join(dir, "opa.json"), filepath.Join(dir, "s")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		r.t.Fatal(err)
	}
	var said bytes.Buffer
	command := exec.CommandContext(context.WithoutCancel(r.t.Context()), strings.TrimSpace(string(found)), "run", "--server", "--config-file", file, "--addr", "unix://"+socket,
		"--disable-telemetry", "--shutdown-grace-period", "1")
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil || r.t.Failed() {
			r.t.Logf("the agent ended (%v) and said:\n%s", err, &said)
		}
	})
	a := &agent{r.t, &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}}
	a.await("its bundle", func() bool {
		status, _, err := a.ask(http.MethodGet, "/health?bundles", nil)
		return err == nil && status == http.StatusOK
	})
	return a
}

func (a *agent) await(what string, done func() bool) {
	a.t.Helper()
	for begin := time.Now(); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			a.t.Fatalf("the agent has not got %s", what)
		}
	}
}

func (a *agent) ask(method, path string, body any) (int, []byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequestWithContext(a.t.Context(), method, "http://agent"+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// answer is what both are asked for.
type answer struct {
	Effect      policy.Effect       `json:"effect"`
	Reasons     []policy.Reason     `json:"reasons"`
	Rules       []string            `json:"rules"`
	Obligations []policy.Obligation `json:"obligations"`
}

func (a *agent) decide(in policy.Input) (answer, string) {
	a.t.Helper()
	status, text, err := a.ask(http.MethodPost, "/v1/data/"+policy.DecisionPath, map[string]any{"input": in})
	var out struct {
		DecisionID string `json:"decision_id"`
		Result     answer `json:"result"`
	}
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil || status != http.StatusOK {
		a.t.Fatalf("status %d, %v: %s", status, err, text)
	}
	return out.Result, out.DecisionID
}

// TestStockAgentDecidesAlike: a stock OPA pulls the bundle, which it checks the signature of, decides as the engine does on a thousand inputs, sends its log,
// and follows an activation at once.
func TestStockAgentDecidesAlike(t *testing.T) {
	r := newRig(t)
	a := r.startAgent()
	recorded := inputs(1000)
	want := map[string]policy.Decision{}
	effects := map[policy.Effect]int{}
	for i, in := range recorded {
		d := r.engine.Decide(t.Context(), "contoso", in)
		effects[d.Effect]++
		if d.Error != "" {
			effects["failed"]++
		}
		got, id := a.decide(in)
		expected := answer{d.Effect, d.Reasons, d.Rules, d.Obligations}
		if diff := cmp.Diff(expected, got, cmpopts.EquateEmpty()); diff != "" {
			text, _ := json.Marshal(in)
			t.Fatalf("input %d (-engine +agent):\n%s\n%s", i, diff, text)
		}
		want[id] = d
	}
	if effects[policy.Allow] < 50 || effects[policy.Lobby] < 20 || effects[policy.Deny] < 100 || effects["failed"] < 20 {
		t.Errorf("the inputs are too much alike: %v", effects)
	}
	var logged []store.Decision
	a.await("its log stored", func() bool {
		logged = r.decisions()
		return len(logged) >= len(want)
	})
	if len(logged) != len(want) {
		t.Errorf("%d decisions are logged, want %d", len(logged), len(want))
	}
	for _, got := range logged {
		d, ok := want[got.DecisionID.String()]
		var reasons []string
		for _, reason := range d.Reasons {
			reasons = append(reasons, string(reason))
		}
		if diff := cmp.Diff(
			[]any{true, string(d.Effect), reasons, d.Rules, "opa", r.active.Name},
			[]any{ok, got.Effect, got.Reasons, got.Rules, got.Source, got.Revision}, cmpopts.EquateEmpty()); diff != "" || got.Took <= 0 {
			t.Fatalf("logged in %v (-want +got):\n%s", got.Took, diff)
		}
	}
	in := recorded[0]
	r.activate(2, "package anteroom.organization\n\ndeny contains \"closed\" if input.action\n\nwithhold[capability] contains \"closed\" if some capability, _ in data.anteroom.meeting.withhold\n\nwithhold.sendChat contains \"closed\"\n")
	in.Action, in.Capability = policy.ActionUse, policy.SendChat
	a.await("the new policy", func() bool {
		got, _ := a.decide(in)
		return fmt.Sprint(got.Reasons) == fmt.Sprint(r.engine.Decide(t.Context(), "contoso", in).Reasons)
	})
}
