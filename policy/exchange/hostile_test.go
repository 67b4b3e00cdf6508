package exchange

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/anteroom/anteroom/policy"
)

// bomb is gzip of a beginning, many times the same, and an end.
func bomb(t *testing.T, begin, again string, times int, end string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	for _, part := range []string{begin, strings.Repeat(again, times), end} {
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// highest calls f and tells how much more of memory was in use than before, at most.
func highest(f func()) uint64 {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	done, watched := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse-min(now.HeapInuse, before.HeapInuse))
			select {
			case <-done:
				watched <- most
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(done)
	return <-watched
}

// Whatever is sent as a log, a status or a question is refused with a status that fits, before it takes much memory, and stores nothing.
func TestHostileBodies(t *testing.T) {
	r := newRig(t)
	input, err := json.Marshal(inputs(1)[0])
	if err != nil {
		t.Fatal(err)
	}
	many := `"` + strings.Repeat(`sendChat","`, 5000) + `sendChat"`
	for _, c := range []struct {
		name, path, body string
		status           int
	}{
		{"an entry that is one long text", "/logs", bomb(t, `[{"input":"`, "x", 60<<20, `"}]`), 413},
		{"an entry that is one long list", "/logs", bomb(t, `[{"input":[`, "1,", 20<<20, `1]}]`), 413},
		{"an entry of many labels", "/logs", bomb(t, `[{"labels":{`, `"a":"b",`, 7<<20, `"a":"b"}}]`), 413},
		{"endless space", "/logs", bomb(t, "[", " ", 65<<20, "]"), 413},
		{"endless nothing", "/logs", bomb(t, "[{}", ",{}", 20<<20, "]"), 400},
		{"nested lists", "/logs", bomb(t, `[{"input":`, "[", 100_000, "}]"), 400},
		{"gzip in gzip", "/logs", bomb(t, bomb(t, "[", " ", 1<<20, "]"), "", 0, ""), 400},
		{"half of a gzip", "/logs", bomb(t, "[{}", ",{}", 1000, "]")[:30], 400},
		{"a status of many bundles", "/status", bomb(t, `{"bundles":{"x":{}`, `,"x":{"code":"bundle_error"}`, 1<<20, `}}`), 413},
		{"a question that is long", "/v1/data/" + policy.DecisionPath, bomb(t, `{"input":"`, "x", 60<<20, `"}`), 413},
		{"a question of many capabilities", "/v1/data/" + policy.DecisionPath, bomb(t, `{"input":`, strings.Replace(string(input), `"withdrawn":[`, `"withdrawn":[`+many+`],"x":[`, 1), 1, "}"), 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			var body string
			took := highest(func() {
				_, body = r.send(c.status, http.MethodPost, c.path, c.body, "Content-Encoding", "gzip")
			})
			var said struct{ Code, Message string }
			if err := json.Unmarshal([]byte(body), &said); err != nil || said.Code == "" || !strings.HasSuffix(said.Message, ".") || len(said.Message) > 200 {
				t.Errorf("answered %.300s", body)
			}
			if took > 48<<20 {
				t.Errorf("took %d MiB", took>>20)
			}
		})
	}
	if list := r.decisions(); len(list) > 0 {
		t.Errorf("stored: %+v", list)
	}
}

// A list that is longer than there are capabilities is no input, and isn't remembered.
func TestLongListsAreNoInput(t *testing.T) {
	r := newRig(t)
	in := inputs(1)[0]
	for len(in.Organization.Withdrawn) < 100 {
		in.Organization.Withdrawn = append(in.Organization.Withdrawn, policy.SendChat)
	}
	text, err := json.Marshal(map[string]any{"input": in})
	if err != nil {
		t.Fatal(err)
	}
	if _, body := r.send(400, http.MethodPost, "/v1/data/"+policy.DecisionPath, string(text)); !strings.Contains(body, "input.organization.withdrawn") {
		t.Errorf("answered %s", body)
	}
	_, body := r.send(200, http.MethodPost, "/logs", packed(t, event(uuid.NewString(), func(e map[string]any) { e["input"] = in })), "Content-Encoding", "gzip")
	if !strings.Contains(body, `"stored":1`) || !strings.Contains(body, `"without_input":1`) {
		t.Errorf("answered %s", body)
	}
}

// Who doesn't send, doesn't read or says nothing keeps nobody else from being answered, and is let go.
func TestSlowAgents(t *testing.T) {
	r := newRig(t)
	r.exch.bodyTime = 300 * time.Millisecond
	var slow sync.WaitGroup
	for range 5 * logsOfEach {
		slow.Go(func() {
			var d net.Dialer
			connection, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			fmt.Fprintf(connection, "POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n[", r.token)
			answer, err := io.ReadAll(connection)
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "too_slow") {
				t.Errorf("answered %q, %v", answer, err)
			}
		})
	}
	_, other, err := r.tokens.Create(t.Context(), "fabrikam", "test", "eve", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	ours := r.token
	r.token = other
	r.send(200, http.MethodPost, "/logs", "[]")
	r.token = ours
	slow.Wait()
	r.send(200, http.MethodPost, "/logs", "[]")
}

func TestGate(t *testing.T) {
	g := newGate(3, 2, time.Minute)
	enter := func(org string) func() {
		leave, err := g.enter(t.Context(), org)
		if err != nil {
			t.Fatal(err)
		}
		return leave
	}
	first, second, third := enter("a"), enter("a"), enter("b")
	none := func(org string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := g.enter(ctx, org); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", org, err)
		}
	}
	none("a")
	none("b")
	first()
	enter("b")()
	third()
	enter("a")()
	second()
	if len(g.lanes) > 0 || len(g.all) > 0 {
		t.Errorf("left: %v, %d", g.lanes, len(g.all))
	}
	g.patience = time.Millisecond
	held := []func(){enter("a"), enter("a")}
	var full *refusal
	if _, err := g.enter(t.Context(), "a"); !errors.As(err, &full) || full.status != http.StatusServiceUnavailable {
		t.Errorf("after its patience: %v", err)
	}
	g.lanes["a"].here = maxHere
	if _, err := g.enter(t.Context(), "a"); !errors.As(err, &full) {
		t.Errorf("one too many: %v", err)
	}
	g.lanes["a"].here = 2
	for _, leave := range held {
		leave()
	}
}

// A token that is revoked while its agent waits gets nothing of what changes.
func TestRevokedWhileItWaits(t *testing.T) {
	r := newRig(t)
	made, text, err := r.tokens.Create(t.Context(), "contoso", "other", "ada", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	ours := r.token
	header, _ := r.send(200, http.MethodGet, "/bundles/contoso", "")
	waits := make(chan string, 1)
	go func() {
		request, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url+"/bundles/contoso", nil)
		request.Header.Set("Authorization", "Bearer "+text)
		request.Header.Set("If-None-Match", header.Get("ETag"))
		request.Header.Set("Prefer", "modes=snapshot;wait=600")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			waits <- err.Error()
			return
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		waits <- fmt.Sprint(answer.StatusCode, " ", string(body))
	}()
	r.awaitWaiters(1)
	if err := r.tokens.Revoke(t.Context(), "contoso", made.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	r.activate(2, own)
	if got := <-waits; !strings.HasPrefix(got, "401 ") || !strings.Contains(got, "unauthorized") {
		t.Errorf("answered %.300q", got)
	}
	r.token = ours
	r.send(200, http.MethodGet, "/bundles/contoso", "", "If-None-Match", header.Get("ETag"))
}

// awaitWaiters waits until so many agents wait.
func (r *rig) awaitWaiters(want int) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		r.exch.waiters.mu.Lock()
		got := r.exch.waiters.here["contoso"]
		r.exch.waiters.mu.Unlock()
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d wait, want %d", got, want)
		}
	}
}

// More than may wait are answered at once, as by a server that lets nobody wait, so that they don't ask again and again; those who hang up are forgotten.
func TestManyWhoWait(t *testing.T) {
	r := newRig(t)
	header, _ := r.send(200, http.MethodGet, "/bundles/contoso", "")
	tag := header.Get("ETag")
	ctx, hangUp := context.WithCancel(t.Context())
	var all sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{}}
	for range waitersOfEach {
		all.Go(func() {
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/bundles/contoso", nil)
			request.Header.Set("Authorization", "Bearer "+r.token)
			request.Header.Set("If-None-Match", tag)
			request.Header.Set("Prefer", "wait=600")
			if answer, err := client.Do(request); err == nil {
				answer.Body.Close()
				t.Errorf("answered %d", answer.StatusCode)
			}
		})
	}
	r.awaitWaiters(waitersOfEach)
	header, _ = r.send(304, http.MethodGet, "/bundles/contoso", "", "If-None-Match", tag, "Prefer", "wait=600")
	if header.Get("Content-Type") == longPollType {
		t.Error("the agent is told that it may wait")
	}
	hangUp()
	all.Wait()
	r.awaitWaiters(0)
	for prefer, status := range map[string]int{"wait=-5": 304, "wait=99999999999999999999": 304, "wait=x;modes": 304, ";;,=,": 304} {
		r.send(status, http.MethodGet, "/bundles/contoso", "", "If-None-Match", tag, "Prefer", prefer)
	}
	for tags, status := range map[string]int{"": 200, "*": 304, tag + tag: 200, strings.Trim(tag, `"`): 200, `"` + tag: 200, strings.Repeat(`"x",`, 2000) + tag: 304, "W/W/" + tag: 200, strings.ToUpper(tag): 200} {
		header, body := r.send(status, http.MethodGet, "/bundles/contoso", "", "If-None-Match", tags)
		if header.Get("ETag") != tag || (status == 304) != (body == "") {
			t.Errorf("%.50q: ETag %s, %d bytes", tags, header.Get("ETag"), len(body))
		}
	}
}

// What is of one organisation says nothing of another: neither by ids that the other used, nor by the name of the other's bundle.
func TestForeignOrganizations(t *testing.T) {
	r := newRig(t)
	id := uuid.NewString()
	_, foreign, err := r.tokens.Create(t.Context(), "fabrikam", "theirs", "eve", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	ours := r.token
	r.token = foreign
	deny := event(id, func(e map[string]any) {
		e["bundles"] = map[string]any{"contoso": map[string]any{"revision": "base@1+contoso@9"}}
		e["result"] = map[string]any{"effect": "allow"}
	})
	if _, body := r.send(200, http.MethodPost, "/logs", packed(t, deny), "Content-Encoding", "gzip"); !strings.Contains(body, `"stored":1`) {
		t.Errorf("theirs: %s", body)
	}
	r.send(404, http.MethodGet, "/bundles/contoso", "")
	r.send(404, http.MethodGet, "/bundles/contoso.tar.gz", "", "If-None-Match", "*", "Prefer", "wait=600")
	r.send(404, http.MethodGet, "/bundles/..%2fcontoso", "")
	if list := r.decisions(); len(list) > 0 {
		t.Errorf("contoso has %+v", list)
	}
	r.token = ours
	if _, body := r.send(200, http.MethodPost, "/logs", packed(t, event(id, nil)), "Content-Encoding", "gzip"); !strings.Contains(body, `"stored":1`) {
		t.Errorf("the same id of ours: %s", body)
	}
	// Ids that come again are known, in whatever letters, and the first answer stays.
	again := event(strings.ToUpper(id), func(e map[string]any) { e["result"] = map[string]any{"effect": "allow"} })
	if _, body := r.send(200, http.MethodPost, "/logs", packed(t, again, again), "Content-Encoding", "gzip"); !strings.Contains(body, `"stored":0,"known":2`) {
		t.Errorf("once more: %s", body)
	}
	var got []string
	for _, d := range r.decisions() {
		got = append(got, d.DecisionID.String()+" "+d.Effect)
	}
	if diff := cmp.Diff([]string{id + " deny"}, got); diff != "" {
		t.Errorf("contoso's (-want +got):\n%s", diff)
	}
}

// A bundle that another key signed, or that was changed, is none to an agent.
func TestBundlesOfAnotherKey(t *testing.T) {
	r := newRig(t)
	_, body := r.send(200, http.MethodGet, "/bundles/contoso", "")
	read := func(id, public string) error {
		keys := map[string]*bundle.KeyConfig{id: {Key: public, Algorithm: "ES256"}}
		_, err := bundle.NewReader(strings.NewReader(body)).WithBundleVerificationConfig(bundle.NewVerificationConfig(keys, id, "", nil)).Read()
		return err //nolint:wrapcheck // a test's
	}
	if err := read(r.key.ID, r.key.Public); err != nil {
		t.Fatalf("by the right key: %v", err)
	}
	other, err := EnsureKey(t.TempDir() + "/other.pem")
	if err != nil {
		t.Fatal(err)
	}
	if read(r.key.ID, other.Public) == nil || read(other.ID, other.Public) == nil {
		t.Error("another key is as good")
	}
}
