package main

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/retention/proof"
)

// export runs the command for a house's auditor and returns what it says, and the folder.
func (h *house) export(more ...string) (exported, string) {
	h.t.Helper()
	folder := filepath.Join(h.t.TempDir(), "report")
	token := filepath.Join(h.t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(h.token("audrey", "auditor")), 0o600); err != nil {
		h.t.Fatal(err)
	}
	args := append([]string{
		"export", "--server", h.rig.url, "--org", h.org, "--token-file", token, "--out", folder, "--json",
		"--from", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "--to", time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}, more...)
	code, stdout, stderr := command(args...)
	if code != 0 {
		h.t.Fatalf("export: exit code %d\n%s", code, stderr)
	}
	var out exported
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		h.t.Fatalf("%v: %s", err, stdout)
	}
	for _, f := range out.Files {
		raw, err := os.ReadFile(f.Path)
		if err != nil {
			h.t.Fatal(err)
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != f.SHA256 || int64(len(raw)) != f.Bytes {
			h.t.Errorf("%s isn't what the command says", f.Path)
		}
	}
	return out, folder
}

// bundledLines are the lines of a file of a bundle.
func bundledLines(t *testing.T, bundle, name string) []string {
	t.Helper()
	archive, err := zip.OpenReader(bundle)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	file, err := archive.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 2*proof.MaxLine)
	for lines.Scan() {
		out = append(out, lines.Text())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// From what is said in a meeting to a report that an auditor fetches and checks: the thread and each guest's copy are in it, in the region where they are.
func TestRule_R7_AReportOfWhatIsKept(t *testing.T) {
	t.Parallel()
	r := usualRig.get(t)
	s := newStage(t, r, nil, nil)
	far := s.house.application(fields{"region": "amer"})
	near, away := s.inside("Greta"), s.admitted(s.host, far, "Ferdinand")
	for _, text := range []string{"first", "second"} {
		_, err := s.host.ChatSend(s.host.soon(), protocol.ChatSend{Text: text})
		s.host.do(err)
	}
	for _, guest := range []*person{near, away} {
		await(guest, protocol.TypeChatMessage, func(m protocol.ChatMessage) bool { return m.Text == "second" })
	}
	var made exported
	var folder string
	within(t, 5*rigPatience, "everything that was said is in the report, and in the log", func() (bool, string) {
		made, folder = s.house.export("--class", "thread,copy")
		kept, told := map[string]int{}, 0
		for _, region := range []string{"emea", "amer"} {
			for _, text := range bundledLines(t, filepath.Join(folder, region+".bundle.zip"), proof.RowsFile) {
				l, err := proof.ParseLine([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				kept[region+" "+string(l.Row.Class)]++
				if l.Stored != nil {
					told++
				}
			}
		}
		last, _ := json.Marshal(kept)
		return kept["emea thread"] == 2 && kept["emea copy"] >= 1 && kept["amer copy"] >= 1 && kept["amer thread"] == 0 && told == int(made.Rows), string(last)
	})
	for _, bundle := range made.Bundles {
		region, _, _ := strings.Cut(filepath.Base(bundle), ".")
		m, err := proof.ParseManifest([]byte(strings.Join(bundledLines(t, bundle, proof.ManifestFile), "\n") + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if m.BrokerRetentionMs < (7*24*time.Hour).Milliseconds() || time.Since(time.Time(m.Watermark)) > time.Hour || m.Partial != "" {
			t.Errorf("%s: the broker keeps for %d ms, complete until %s, partial: %q", region, m.BrokerRetentionMs, m.Watermark, m.Partial)
		}
		for _, name := range []string{proof.RowsFile, proof.ManifestFile} {
			for _, text := range bundledLines(t, bundle, name) {
				if strings.Contains(text, `"second"`) {
					t.Errorf("%s has what was said", name)
				}
			}
		}
		code, key, stderr := command("ledger", "key", "--data", r.data, "--region", region)
		if code != 0 {
			t.Fatalf("ledger key: %d %s", code, stderr)
		}
		key = strings.TrimSpace(key[strings.LastIndexAny(strings.TrimSpace(key), " \t\n")+1:])
		if code, stdout, stderr := command("verify", bundle, "--key", key); code != 0 {
			t.Errorf("verify %s: exit code %d\n%s%s", region, code, stdout, stderr)
		}
	}
	// Log and tables agree, while others go on: a batch that is just being written may have no leaf yet.
	eventually(t, "ledgers and tables agree", func() (bool, string) {
		code, stdout, stderr := command("ledger", "fsck", "--data", r.data)
		return code == 0 && !strings.Contains(stdout, " 0 batches"), stdout + stderr
	})
	// Who fetched it is told by the next report on changes.
	changes, folder := s.house.export("--kind", "changes")
	if len(changes.Bundles) != 1 {
		t.Errorf("changes have the bundles %q", changes.Bundles)
	}
	if all := strings.Join(bundledLines(t, filepath.Join(folder, "emea.bundle.zip"), proof.DigestsFile), "\n"); !strings.Contains(all, made.ID) ||
		!strings.Contains(all, `"file":"amer.bundle.zip"`) || !strings.Contains(all, `"what":"organization"`) {
		t.Errorf("changes: %s", all)
	}
	// Another organisation sees none of it.
	other := newHouse(t, r, nil)
	if got := r.ask(t, other.token("eve", "auditor"), http.MethodGet, "/v1/exports/"+made.ID, nil); got.code() != "export_not_found" {
		t.Errorf("another organisation: %d %s", got.status, got.body)
	}
}

func TestExportCommandSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	r := usualRig.get(t)
	h := newHouse(t, r, nil)
	folder := t.TempDir()
	token := filepath.Join(folder, "token")
	if err := os.WriteFile(token, []byte(h.token("sue", "support")), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"your roles don't allow this": {"--token-file", token},
		"must be after from":          {"--data", r.data, "--to", "2026-10-01"},
		"one of emea, amer":           {"--data", r.data, "--region", "apac"},
		"The field reason is missing": {"--data", r.data, "--kind", "held_content"},
		"--to: Invalid field":         {"--data", r.data, "--to", "2026-10-01"},
		"--filter verdict: Invalid field: The field filter.verdict must be one of good, poor, unknown": {"--data", r.data, "--kind", "calls", "--filter", "verdict=bad"},
		"--filter time_zone: Invalid field": {"--data", r.data, "--kind", "calls", "--filter", "hour_of_day=9", "--filter", "time_zone=Mars/Olympus"},
	} {
		all := append([]string{"export", "--server", r.url, "--org", h.org, "--out", folder, "--from", "2026-11-01", "--to", "2026-11-02"}, args...)
		if code, _, stderr := command(all...); code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, %s; want %s", args, code, stderr, want)
		}
	}
}

// Which calls a report is about can be said as over the API: each of its filters, and of no other name.
func TestExportCommandTakesFilters(t *testing.T) {
	t.Parallel()
	made, _ := newHouse(t, usualRig.get(t), nil).export("--kind", "calls", "--filter", "verdict=poor", "--filter", "recorded=false", "--filter", "min_duration_s=60",
		"--filter", "hour_of_day=9", "--filter", "time_zone=Europe/Paris", "--filter", "reason=jitter_ms")
	var manifest struct {
		Query struct{ Calls map[string]any }
	}
	if err := json.Unmarshal([]byte(strings.Join(bundledLines(t, made.Bundles[0], proof.ManifestFile), "\n")), &manifest); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"verdict": "poor", "recorded": false, "min_duration_s": 60.0, "hour_of_day": 9.0, "time_zone": "Europe/Paris", "reason": "jitter_ms",
	} {
		if got := manifest.Query.Calls[name]; got != want {
			t.Errorf("%s is %v in the manifest, want %v", name, got, want)
		}
	}
	for want, args := range map[string][]string{
		"--filter: is for the kinds calls, participants and streams, not for retention": {"--filter", "verdict=poor"},
		`--filter: there is no filter "verdit"; there are client, `:                     {"--kind", "calls", "--filter", "verdit=poor"},
		`--filter: "poor" is not of the form name=value`:                                {"--kind", "streams", "--filter", "poor"},
		"--filter verdict: is given twice":                                              {"--kind", "calls", "--filter", "verdict=poor", "--filter", "verdict=good"},
		`--filter min_duration_s: "1e2" is not a whole number`:                          {"--kind", "calls", "--filter", "min_duration_s=1e2"},
		`--filter recorded: "yes" is neither true nor false`:                            {"--kind", "participants", "--filter", "recorded=yes"},
	} {
		all := append([]string{"export", "--out", t.TempDir(), "--from", "2026-11-01", "--to", "2026-11-02"}, args...)
		if code, _, stderr := command(all...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, %s; want %s", args, code, stderr, want)
		}
	}
}
