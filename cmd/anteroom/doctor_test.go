package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/internal/doctor"
)

// secretsOf are the secrets that a data folder has in files of its own.
func secretsOf(t *testing.T, data string) []string {
	t.Helper()
	var out []string
	for _, name := range []string{"labelling-key", "clickhouse/password", "kafka/password", "identity/master.key", "ledger/emea/signer.key", "ledger/emea/ids.key"} {
		text, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimSpace(string(text)))
	}
	return out
}

func TestDoctorOfARunningAnteroom(t *testing.T) {
	r := usualRig.get(t)
	code, stdout, stderr := command("doctor", "--data", r.data, "--json")
	var report struct {
		Status doctor.Status  `json:"status"`
		Checks []doctor.Check `json:"checks"`
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("exit code %d: %v\n%s%s", code, err, stdout, stderr)
	}
	var seen []string
	for _, c := range report.Checks {
		seen = append(seen, c.Name)
		// How full the disk of the machine is, is not this test's to say; neither is what other tests put into the directory.
		aside := slices.Contains([]string{"disk", "clickhouse.disk", "issuers", "regions", "ledger.waiting"}, c.Name)
		if !aside && c.Status != doctor.OK && c.Status != doctor.Skipped {
			t.Errorf("%+v", c)
		}
	}
	for _, name := range []string{
		"configuration", "clickhouse.reachable", "clickhouse.migrations", "clickhouse.version", "clickhouse.settings", "clocks.clickhouse", "clickhouse.disk",
		"kafka.reachable", "kafka.topic", "clocks.kafka", "files", "disk", "ledger.checkpoint", "ledger.waiting", "keys.private", "keys.published",
	} {
		if !slices.Contains(seen, name) {
			t.Errorf("%s was not looked at", name)
		}
	}
	want := map[doctor.Status]int{doctor.OK: 0, doctor.Warning: exitWarnings, doctor.Failed: exitFailed}[report.Status]
	if code != want {
		t.Errorf("exit code %d for %s, want %d", code, report.Status, want)
	}
	for _, secret := range secretsOf(t, r.data) {
		if strings.Contains(stdout+stderr, secret) {
			t.Error("a secret was told")
		}
	}
}

func TestDoctorWithoutAnything(t *testing.T) {
	code, stdout, _ := command("doctor", "--data", filepath.Join(t.TempDir(), "none"))
	if code != exitFailed || !strings.Contains(stdout, "there is no Anteroom in the data folder") || !strings.Contains(stdout, "--data") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
	if code, stdout, _ := command("doctor", "--data", t.TempDir(), "--roles", "nonsense"); code != exitUsage || stdout != "" {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

func TestDoctorOfAConfiguration(t *testing.T) {
	ask := func(environ ...string) (int, string) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"doctor", "--timeout", "5s"}, environ, strings.NewReader(""), &stdout, &stderr)
		return code, stdout.String()
	}
	code, stdout := ask("ANTEROOM_KAFKA_BROKERS=127.0.0.1:1", "ANTEROOM_KAFKA_TIMEOUT=-1s")
	if code != exitUsage || !strings.Contains(stdout, "failed   configuration: kafka.timeout") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
	const secret = "c4n4ry-s3cr3t-of-more-than-32-bytes"
	code, stdout = ask("ANTEROOM_KAFKA_BROKERS=127.0.0.1:1", "ANTEROOM_CLICKHOUSE_ADDRESSES=127.0.0.1:1", "ANTEROOM_CLICKHOUSE_PASSWORD="+secret,
		"ANTEROOM_KAFKA_SASL_MECHANISM=PLAIN", "ANTEROOM_KAFKA_SASL_USERNAME=u", "ANTEROOM_KAFKA_SASL_PASSWORD="+secret, "ANTEROOM_LABELLING_KEY="+secret)
	for _, says := range []string{"failed   clickhouse.reachable (emea)", "failed   kafka.reachable (emea)", "failed   files: sealing.dir is not set: the role ingest needs it", "→ Set ledger.dir."} {
		if !strings.Contains(stdout, says) {
			t.Errorf("it doesn't say %q\n%s", says, stdout)
		}
	}
	if code != exitFailed || strings.Contains(stdout, secret) {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}
