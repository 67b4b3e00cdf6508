package exchange

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/store"
)

func TestTokensAreGoodForOneOrganizationUntilTheyEnd(t *testing.T) {
	r := newRig(t)
	r.send(404, http.MethodGet, "/bundles/fabrikam", "")
	good := r.token
	made, revoked, err := r.tokens.Create(t.Context(), "contoso", "other", "ada", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, ended, err := r.tokens.Create(t.Context(), "contoso", "short", "ada", -time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_, foreign, err := r.tokens.Create(t.Context(), "fabrikam", "theirs", "eve", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r.token = revoked
	r.send(200, http.MethodPost, "/status", "{}")
	if err := r.tokens.Revoke(t.Context(), "contoso", made.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	parts, others := strings.Split(good, "."), strings.Split(foreign, ".")
	for name, token := range map[string]string{
		"revoked": revoked, "ended": ended, "none": "", "cut": good[:len(good)-1], "for another organisation": strings.Join([]string{parts[0], others[1], parts[2], parts[3]}, "."),
		"another's secret": strings.Join([]string{parts[0], parts[1], parts[2], others[3]}, "."), "a path": "apt.." + parts[2] + "." + parts[3],
	} {
		r.token = token
		header, body := r.send(401, http.MethodGet, "/bundles/contoso", "")
		if header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(body, `"code":"unauthorized"`) {
			t.Errorf("%s: %v %s", name, header, body)
		}
	}
	rows, err := r.store.List(t.Context(), TokenKind, "contoso")
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d tokens are left, %v", len(rows), err)
	}
	for _, row := range rows {
		if bytes.Contains(row.Value, []byte(parts[3])) {
			t.Error("the secret of a token is kept")
		}
	}
}

func TestBundlesAreSentWhenTheyChanged(t *testing.T) {
	r := newRig(t)
	header, body := r.send(200, http.MethodGet, "/bundles/contoso.tar.gz", "")
	tag := header.Get("ETag")
	if header.Get("Content-Type") != "application/gzip" || tag == "" || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("%v", header)
	}
	header, body = r.send(304, http.MethodGet, "/bundles/contoso", "", "If-None-Match", `"x", W/`+tag)
	if body != "" || header.Get("ETag") != tag {
		t.Errorf("not modified: %v, %q", header, body)
	}
	r.send(200, http.MethodGet, "/bundles/contoso", "", "If-None-Match", `"x"`)
	// Who waits is answered when it changes, and at the latest when the time is over.
	r.send(304, http.MethodGet, "/bundles/contoso", "", "If-None-Match", tag, "Prefer", "modes=snapshot,delta;wait=1")
	time.AfterFunc(100*time.Millisecond, func() { r.activate(2, own) })
	header, _ = r.send(200, http.MethodGet, "/bundles/contoso", "", "If-None-Match", tag, "Prefer", "modes=snapshot,delta;wait=600")
	if header.Get("ETag") == tag || header.Get("Content-Type") != longPollType {
		t.Errorf("the same content activated again, for who waits: %v", header)
	}
	r.exch.Close()
	r.send(304, http.MethodGet, "/bundles/contoso", "", "If-None-Match", header.Get("ETag"), "Prefer", "wait=600")
}

// event is one entry of a log, as OPA writes it, about an input that is good.
func event(id string, change func(e map[string]any)) map[string]any {
	e := map[string]any{
		"labels": map[string]any{"app": "Jane Doe", "id": "x"}, "decision_id": id, "bundles": map[string]any{"contoso": map[string]any{"revision": "base@1+contoso@2#3"}},
		"path": policy.DecisionPath, "input": inputs(1)[0], "result": map[string]any{"effect": "deny", "reasons": []string{"in_lobby"}, "rules": []string{"J9"}},
		"requested_by": "192.0.2.7:1234", "timestamp": time.Now().UTC().Format(time.RFC3339Nano), "metrics": map[string]any{"timer_rego_query_eval_ns": 41_000},
	}
	if change != nil {
		change(e)
	}
	return e
}

func packed(t *testing.T, events ...map[string]any) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if err := json.NewEncoder(w).Encode(events); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLogsAreTakenOnce(t *testing.T) {
	r := newRig(t)
	set := func(key string, value any) func(map[string]any) {
		return func(e map[string]any) { e[key] = value }
	}
	withName := func(e map[string]any) {
		text, _ := json.Marshal(e["input"])
		e["input"] = json.RawMessage(strings.Replace(string(text), `{`, `{"name":"Jane Doe",`, 1))
	}
	ids := make([]string, 8)
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	log := packed(t,
		event(ids[0], nil), event(ids[0], nil),
		event(ids[1], withName),
		event(ids[2], set("erased", []string{"/input/participant"})),
		event(ids[3], func(e map[string]any) { delete(e, "result") }),
		event(ids[4], set("error", map[string]any{"code": "internal_error", "message": "Jane Doe"})),
		event(ids[5], set("result", map[string]any{"effect": "deny", "reasons": []string{"Jane Doe"}})),
		event(ids[6], set("path", "system/main")),
		event(ids[7], set("timestamp", time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano))),
	)
	for i, want := range []Taken{{Stored: 6, Known: 1, Ignored: 2, WithoutInput: 2}, {Known: 7, Ignored: 2, WithoutInput: 2}} {
		_, body := r.send(200, http.MethodPost, "/logs", log, "Content-Encoding", "gzip", "Content-Type", "application/json")
		var got Taken
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("sent %d times (-want +got):\n%s", i+1, diff)
		}
	}
	got := map[string]string{}
	list := r.decisions()
	for _, d := range list {
		one, err := store.NewReader(r.store, store.QueryLimits{}).Decision(t.Context(), "contoso", d.DecisionID, time.Now().Add(2*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		got[d.DecisionID.String()] = fmt.Sprint(d.Effect, d.Reasons, d.Rules, d.Error, " ", d.Revision, " ", d.Took, " ", one.Input != "", " ", d.CallID == "opa-"+d.At.Format(time.DateOnly))
		if strings.Contains(fmt.Sprintf("%+v", one), "Jane") {
			t.Errorf("a name is kept: %+v", one)
		}
	}
	const rest = " base@1+contoso@2#3 41µs "
	want := map[string]string{
		ids[0]: "deny[in_lobby] [J9]" + rest + "true true",
		ids[1]: "deny[in_lobby] [J9]" + rest + "false true",
		ids[2]: "deny[in_lobby] [J9]" + rest + "false true",
		ids[3]: "deny[policy_failed] []undefined" + rest + "true true",
		ids[4]: "deny[policy_failed] []error" + rest + "true true",
		ids[5]: "deny[policy_failed] []error" + rest + "true true",
	}
	if diff := cmp.Diff(want, got); diff != "" || len(list) != len(want) {
		t.Errorf("%d decisions (-want +got):\n%s", len(list), diff)
	}
}

func TestLogsThatCannotBeRead(t *testing.T) {
	r := newRig(t)
	for body, status := range map[string]int{
		"": 400, "{}": 400, "[": 400, "[1]": 400, "[{}": 400, `[{"timestamp":"Jane"}]`: 400, "[]": 200, "[{}]": 200,
	} {
		_, got := r.send(status, http.MethodPost, "/logs", body)
		if strings.Contains(got, "Jane") {
			t.Errorf("the answer has what was sent: %s", got)
		}
	}
	r.send(400, http.MethodPost, "/logs", "[]", "Content-Encoding", "gzip")
	r.send(415, http.MethodPost, "/logs", "[]", "Content-Encoding", "br")
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, _ = w.Write([]byte("["))
	for range 65 {
		_, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
	_ = w.Close()
	r.send(413, http.MethodPost, "/logs", bomb.String(), "Content-Encoding", "gzip")
	r.send(413, http.MethodPost, "/logs", "["+strings.Repeat(" ", maxLog)+"]")
	if list := r.decisions(); len(list) > 0 {
		t.Errorf("stored: %+v", list)
	}
}

func TestQuestionsAreAnsweredAsAnAgentWould(t *testing.T) {
	r := newRig(t)
	in := inputs(1)[0]
	text, err := json.Marshal(map[string]any{"input": in})
	if err != nil {
		t.Fatal(err)
	}
	_, body := r.send(200, http.MethodPost, "/v1/data/anteroom/decision/answer", string(text))
	var got struct {
		Result answer `json:"result"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if want := r.engine.Decide(t.Context(), "contoso", in); got.Result.Effect != want.Effect || len(got.Result.Reasons) != len(want.Reasons) {
		t.Errorf("answered %s, decided %+v", body, want)
	}
	if _, body = r.send(200, http.MethodPost, "/v1/data/system/version", string(text)); strings.TrimSpace(body) != "{}" {
		t.Errorf("what isn't defined: %s", body)
	}
	r.send(400, http.MethodPost, "/v1/data/anteroom/decision/answer", `{"input":{"action":"join","name":"Jane"}}`)
	r.send(400, http.MethodPost, "/v1/data/anteroom/decision/answer", `nonsense`)
	r.send(200, http.MethodPost, "/status", `{"labels":{"id":"x"},"bundles":{"contoso":{"active_revision":"r","code":"bundle_error","message":"Jane"}}}`)
	r.send(400, http.MethodPost, "/status", `[]`)
}
