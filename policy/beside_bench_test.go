package policy

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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/anteroom/anteroom/internal/opatest"
)

// BenchmarkBeside shows decisions of the engine beside those of a bare prepared query, and beside the stock server's over HTTP: the same policy, data and
// inputs, on as many goroutines as there are processors. Run it with -benchtime 3s or longer.
func BenchmarkBeside(b *testing.B) {
	e := engine(b, DefaultConfig())
	inputs := []Input{guest(ActionJoin, ""), guest(ActionUse, SendChat), guest(ActionUse, RaiseHand), orgUser(ActionUse, ShareScreen)}
	b.Run("engine", func(b *testing.B) {
		timed(b, func(i int) error {
			if d := e.Decide(context.Background(), "acme", inputs[i%len(inputs)]); d.Reason() == PolicyFailed {
				return fmt.Errorf("decided %+v", d)
			}
			return nil
		})
	})
	b.Run("engine, asked for the first time", func(b *testing.B) {
		timed(b, func(i int) error {
			_, _, err := e.Try(context.Background(), "acme", inputs[i%len(inputs)])
			return err
		})
	})
	b.Run("engine, with as many as never before", func(b *testing.B) {
		var asked atomic.Int64
		timed(b, func(i int) error {
			in := inputs[i%len(inputs)]
			in.Session.OrgUsers = int(asked.Add(1)) // A meeting that grows. No rule tells these apart.
			if d := e.Decide(context.Background(), "acme", in); d.Reason() == PolicyFailed {
				return fmt.Errorf("decided %+v", d)
			}
			return nil
		})
	})
	b.Run("bare", func(b *testing.B) {
		query := plainQuery(b, e)
		parsed := make([]rego.EvalOption, len(inputs))
		for i := range inputs {
			parsed[i] = rego.EvalParsedInput(e.keys.value(&inputs[i]))
		}
		timed(b, func(i int) error {
			results, err := query.Eval(context.Background(), parsed[i%len(inputs)])
			if err == nil && len(results) != 1 {
				err = fmt.Errorf("%d results", len(results))
			}
			return err
		})
	})
	b.Run("bare, from structs", func(b *testing.B) {
		query := plainQuery(b, e)
		timed(b, func(i int) error {
			_, err := query.Eval(context.Background(), rego.EvalInput(inputs[i%len(inputs)]))
			return err
		})
	})
	b.Run("server", func(b *testing.B) {
		url := stockServer(b, e)
		bodies := make([][]byte, len(inputs))
		for i, in := range inputs {
			var err error
			if bodies[i], err = json.Marshal(map[string]any{"input": in}); err != nil {
				b.Fatal(err)
			}
		}
		timed(b, func(i int) error { return askServer(url, bodies[i%len(bodies)]) })
	})
}

// timed runs do in parallel, and reports how long one took and how many there were a second.
func timed(b *testing.B, do func(i int) error) {
	b.Helper()
	var mu sync.Mutex
	var all []time.Duration
	began := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		var took []time.Duration
		for i := 0; pb.Next(); i++ {
			start := time.Now()
			if err := do(i); err != nil {
				b.Error(err)
				return
			}
			took = append(took, time.Since(start))
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, took...)
	})
	if len(all) == 0 {
		return
	}
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/time.Since(began).Seconds(), "decisions/s")
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1000, "p50-us")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1000, "p99-us")
}

// stockServer runs `opa run --server` with the base policy, and gives the address of its decisions.
func stockServer(b *testing.B, e *Engine) string {
	b.Helper()
	program, dir := opatest.Program(b), b.TempDir()
	texts, err := shippedTexts(meetingFolder, false)
	if err != nil {
		b.Fatal(err)
	}
	data, err := json.Marshal(e.base.data)
	if err != nil {
		b.Fatal(err)
	}
	texts["data.json"] = string(data)
	for name, text := range texts {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	var said bytes.Buffer
	server := exec.Command(program, "run", "--server", "--addr", address, "--log-level", "error", "--disable-telemetry", dir) //nolint:gosec // ours
	server.Stderr, server.Stdout = &said, &said
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	url := "http://" + address + "/v1/data/anteroom/meeting/decision"
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if askServer(url, []byte(`{"input": {"action": "join"}}`)) == nil {
			return url
		}
		if time.Now().After(deadline) {
			b.Fatalf("the stock server doesn't answer: %s", said.String())
		}
	}
}

func askServer(url string, body []byte) error {
	resp, err := http.Post(url, "application/json", bytes.NewReader(body)) //nolint:noctx // a benchmark's
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && !strings.Contains(string(text), `"effect"`) {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return err
}
