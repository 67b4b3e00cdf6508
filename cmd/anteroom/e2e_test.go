package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/devissuer"
	"github.com/anteroom/anteroom/internal/embedded"
)

// From a file to the answers and through a restart: what was answered before is answered after.
func TestImportedCallsSurviveARestart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	in := startRun(t, data, "--no-demo")
	if diff := cmp.Diff(`{"calls":[],"next_page_token":null}`, timeless(t, in.get("/v1/calls"))); diff != "" {
		t.Fatalf("a new folder is not empty (-want +got):\n%s", diff)
	}
	ids := in.importFiles(append([]string{"rtcstats"}, demoFiles(t)...)...)
	if len(ids) != 2 {
		t.Fatalf("two files gave the calls %q", ids)
	}
	answers := func() map[string]string {
		out := map[string]string{"": timeless(t, in.get("/v1/calls"))}
		for _, id := range ids {
			for _, part := range []string{"", "/participants", "/streams", "/timeline", "/issues"} {
				path := "/v1/calls/" + id + part
				out[path] = in.get(path)
			}
		}
		return out
	}
	before := answers()
	var list struct {
		Calls []struct {
			CallID string `json:"call_id"`
			Org    string `json:"org"`
		} `json:"calls"`
	}
	if err := json.Unmarshal([]byte(before[""]), &list); err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, call := range list.Calls {
		listed = append(listed, call.CallID)
		if call.Org != demoOrg {
			t.Errorf("call of organisation %q, want %q", call.Org, demoOrg)
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(slices.Sorted(slices.Values(ids)), listed); diff != "" {
		t.Errorf("listed calls (-imported +listed):\n%s", diff)
	}
	for _, id := range ids {
		if !strings.Contains(before["/v1/calls/"+id+"/streams"], `"stream_id"`) {
			t.Errorf("call %s has no streams", id)
		}
	}

	in.stop()
	in = startRun(t, data) // with calls there, nothing is loaded
	if diff := cmp.Diff(before, answers()); diff != "" {
		t.Errorf("after the restart (-before +after):\n%s", diff)
	}
	if again := in.importFiles(append([]string{"rtcstats"}, demoFiles(t)...)...); !slices.Equal(again, ids) {
		t.Errorf("the same files gave other calls: %q, want %q", again, ids)
	}
	if diff := cmp.Diff(before, answers()); diff != "" {
		t.Errorf("after importing the same again (-before +after):\n%s", diff)
	}
	in.stop()
}

// timeless is a list without how fresh it is.
func timeless(t *testing.T, list string) string {
	t.Helper()
	var parts map[string]json.RawMessage
	if err := json.Unmarshal([]byte(list), &parts); err != nil {
		t.Fatal(err)
	}
	if len(parts["freshness"]) == 0 {
		t.Errorf("a list does not say how fresh it is: %s", list)
	}
	delete(parts, "freshness")
	out, err := json.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// A ClickHouse that is killed comes back, with its data, and the service goes on.
func TestAKilledClickHouseComesBack(t *testing.T) {
	in := startRun(t, filepath.Join(t.TempDir(), "data"), "--no-demo")
	files := demoFiles(t)
	ids := in.importFiles("rtcstats", files[0])
	before := in.get("/v1/calls/" + ids[0] + "/streams")
	pid := clickHousePid(t, in.data)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !strings.Contains(in.stderr.String(), "ClickHouse is back"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("ClickHouse is not back\n%s", in.stderr)
		}
	}
	in.awaitStatus("/readyz", http.StatusOK)
	if diff := cmp.Diff(before, in.get("/v1/calls/"+ids[0]+"/streams")); diff != "" {
		t.Errorf("after ClickHouse came back (-before +after):\n%s", diff)
	}
	if more := in.importFiles("rtcstats", files[1]); len(more) != 1 {
		t.Errorf("the import gave the calls %q", more)
	}
	in.stop()
}

// clickHousePid finds the engine of a data folder by the configuration that its command line names.
func clickHousePid(t *testing.T, data string) int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Skip("needs /proc to find the engine's process")
	}
	for _, line := range lines {
		text, err := os.ReadFile(line)
		if err == nil && strings.Contains(string(text), "--config-file="+filepath.Join(data, "clickhouse", "config.xml")) {
			return atoi(t, filepath.Base(filepath.Dir(line)))
		}
	}
	t.Fatal("no ClickHouse of this data folder runs")
	return 0
}

func TestASecondInstanceIsRefused(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	lock, err := embedded.AcquireLock(data)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	code, _, stderr := command("run", "--data", data, "--listen", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(stderr, "data folder is in use") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// serve works with engines that are not its own: it refuses tables that are not there, says what it waits for, and goes on when
// it is back.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	broker, err := embedded.StartBroker(t.Context(), embedded.DefaultBrokerConfig(filepath.Join(dir, "kafka")))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	engine := embedded.DefaultClickHouseConfig(filepath.Join(dir, "clickhouse"))
	clickhouse, err := embedded.StartClickHouse(t.Context(), engine)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { clickhouse.Close() }()
	environ := []string{
		"ANTEROOM_LISTEN=127.0.0.1:0",
		"ANTEROOM_KAFKA_BROKERS=" + broker.Addr(), "ANTEROOM_KAFKA_SASL_MECHANISM=" + broker.Mechanism(),
		"ANTEROOM_KAFKA_SASL_USERNAME=" + broker.User(), "ANTEROOM_KAFKA_SASL_PASSWORD=" + broker.Password(),
		"ANTEROOM_CLICKHOUSE_ADDRESSES=" + clickhouse.Addr(),
		"ANTEROOM_CLICKHOUSE_USERNAME=" + clickhouse.User(), "ANTEROOM_CLICKHOUSE_PASSWORD=" + clickhouse.Password(),
		"ANTEROOM_LABELLING_KEY=" + strings.Repeat("k", 32), "ANTEROOM_IDENTITY_STATE_FOLDER=" + filepath.Join(dir, "identity"),
		"ANTEROOM_SEALING_DIR=" + filepath.Join(dir, "keys"),
		"ANTEROOM_LEDGER_DIR=" + filepath.Join(dir, "ledger"),
	}
	operators, users := issuers(t, dir)
	environ = append(environ, "ANTEROOM_IDENTITY_OPERATOR_ISSUER_URL="+operators.url, "ANTEROOM_IDENTITY_OPERATOR_ISSUER_CLIENT_ID="+identity.DevelopmentClient)
	with := func(args ...string) (int, string, string) {
		in := begin(t, environ, args...)
		code := <-in.done
		in.done = nil
		return code, in.stdout.String(), in.stderr.String()
	}
	if code, _, stderr := with("serve"); code != exitFailed || !strings.Contains(stderr, "anteroom") {
		t.Errorf("serve without tables: exit code %d\n%s", code, stderr)
	}
	if code, _, stderr := with("migrate"); code != 0 {
		t.Fatalf("migrate: exit code %d\n%s", code, stderr)
	}
	if code, stdout, _ := with("migrate"); code != 0 || stdout != "The tables are up to date.\n" {
		t.Errorf("second migrate: exit code %d, %q", code, stdout)
	}
	if code, stdout, stderr := with("migrate", "--status"); code != 0 || !strings.Contains(stdout, "applied  00001_calls.sql") || strings.Contains(stdout, "missing") {
		t.Errorf("status: exit code %d\n%s%s", code, stdout, stderr)
	}

	// A further region that is away is told, and holds up nothing.
	environ = append(environ, `ANTEROOM_REGIONS=[{name: amer, clickhouse: {addresses: ["127.0.0.1:1"]}, kafka: {brokers: ["127.0.0.1:1"]}}]`)
	if code, _, stderr := with("serve", "--regions=apac"); code != exitUsage || !strings.Contains(stderr, `--regions: "apac" is none of emea, amer`) {
		t.Errorf("serve for an unknown region: exit code %d\n%s", code, stderr)
	}
	if code, _, stderr := with("migrate"); code != exitFailed || !strings.Contains(stderr, "region amer: ") {
		t.Errorf("migrate without amer: exit code %d\n%s", code, stderr)
	}
	in := begin(t, environ, "serve", "--json")
	in.token = users.token
	in.awaitURL()
	if body := in.awaitStatus("/readyz", http.StatusOK); !strings.Contains(body, `"name":"ClickHouse of amer","ok":false`) {
		t.Errorf("amer is not missed: %s", body)
	}
	organization, err := http.NewRequestWithContext(t.Context(), http.MethodPost, in.url+"/v1/organizations", strings.NewReader(fmt.Sprintf(
		`{"id":%q,"name":"Demo","kind":"work","region":"emea","issuer":{"url":%q,"client_id":%q}}`, demoOrg, users.url, identity.DevelopmentClient)))
	if err != nil {
		t.Fatal(err)
	}
	organization.Header.Set("Content-Type", "application/json")
	if status, body, err := ask(organization, operators.token("", identity.Operator)); err != nil || status != http.StatusCreated {
		t.Fatalf("make organisation: %d %s %v", status, body, err)
	}
	ids := in.importFiles(append([]string{"rtcstats"}, demoFiles(t)...)...)
	before := in.get("/v1/calls/" + ids[0])

	// ClickHouse goes away and comes back on the same port.
	_, port, _ := strings.Cut(clickhouse.Addr(), ":")
	engine.NativePort = atoi(t, port)
	if err := clickhouse.Close(); err != nil {
		t.Fatal(err)
	}
	body := in.awaitStatus("/readyz", http.StatusServiceUnavailable)
	if !strings.Contains(body, `"name":"ClickHouse","ok":false`) {
		t.Errorf("not ready, but ClickHouse is not named: %s", body)
	}
	if clickhouse, err = embedded.StartClickHouse(t.Context(), engine); err != nil {
		t.Fatal(err)
	}
	in.awaitStatus("/readyz", http.StatusOK)
	if diff := cmp.Diff(before, in.get("/v1/calls/"+ids[0])); diff != "" {
		t.Errorf("after ClickHouse came back (-before +after):\n%s", diff)
	}
	in.stop()
}

// issuer is an OpenID provider.
type issuer struct {
	url      string
	provider *devissuer.Issuer
	token    func(org string, role identity.Role) string
}

// issuers are two OpenID providers, as organisations have them: one for operators, one for users.
func issuers(t *testing.T, dir string) (operators, users issuer) {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	open := func(name string) issuer {
		provider, err := devissuer.Open(devissuer.Config{URL: server.URL + "/" + name, Folder: filepath.Join(dir, name)}, devissuer.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		mux.Handle("/"+name+"/", provider.Handler())
		return issuer{server.URL + "/" + name, provider, func(org string, role identity.Role) string {
			token, err := provider.Token(org, []identity.Role{role}, "somebody", 0)
			if err != nil {
				t.Error(err)
			}
			return token
		}}
	}
	return open("operators"), open("users")
}

// awaitURL reads the address that --json prints when the service is up.
func (in *instance) awaitURL() {
	in.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var up struct {
			URL string `json:"url"`
		}
		if json.Unmarshal([]byte(in.stdout.String()), &up) == nil && up.URL != "" {
			in.url = up.URL
			return
		}
	}
	in.t.Fatalf("no address was printed\n%s", in.stderr)
}

func (in *instance) awaitStatus(path string, want int) string {
	in.t.Helper()
	var status int
	var body string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var err error
		if status, body, err = get(in.url+path, ""); err == nil && status == want {
			return body
		}
	}
	in.t.Fatalf("%s answers %d, never %d: %s\n%s", path, status, want, body, in.stderr)
	return ""
}
