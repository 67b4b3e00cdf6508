package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// line is one line of a dump.
type line struct {
	method string
	pc     string
	value  json.RawMessage
	at     int64 // epoch milliseconds
}

func parse(t *testing.T, file File) []line {
	t.Helper()
	var lines []line
	for i, raw := range bytes.Split(bytes.TrimSuffix(file.Data, []byte("\n")), []byte("\n")) {
		var fields []json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil || len(fields) != 4 {
			t.Fatalf("%s line %d: want an array of 4, got %d fields, %v", file.Name, i+1, len(fields), err)
		}
		var l line
		var pc *string
		for j, target := range []any{&l.method, &pc, &l.value, &l.at} {
			if err := json.Unmarshal(fields[j], target); err != nil {
				t.Fatalf("%s line %d field %d: %v", file.Name, i+1, j, err)
			}
		}
		if pc != nil {
			l.pc = *pc
		}
		lines = append(lines, l)
	}
	return lines
}

func TestFilesAreWholeDumps(t *testing.T) {
	wantMethods := []string{
		"addIceCandidate", "close", "conferenceStartTimestamp", "connectionInfo", "create", "getstats", "identity",
		"navigator.mediaDevices.getDisplayMediaOnSuccess", "navigator.mediaDevices.getUserMediaOnSuccess",
		"onconnectionstatechange", "onicecandidate", "oniceconnectionstatechange",
		"setLocalDescription", "setRemoteDescription", "setVideoType",
	}
	for _, file := range Files() {
		t.Run(file.Name, func(t *testing.T) {
			if len(file.Data) > 600_000 {
				t.Errorf("the dump has %d bytes, more than 600,000", len(file.Data))
			}
			lines := parse(t, file)
			count := map[string]int{}
			for i, l := range lines {
				count[l.method]++
				if i > 0 && l.at < lines[i-1].at {
					t.Errorf("line %d (%s) is older than the line before it", i+1, l.method)
				}
				if l.method == "getstats" && l.pc != "PC_0" {
					t.Errorf("line %d: getstats of %q, want PC_0", i+1, l.pc)
				}
			}
			for _, method := range wantMethods {
				if count[method] == 0 {
					t.Errorf("no line %s", method)
				}
			}
			if count["getstats"] < 60 {
				t.Errorf("%d getstats lines, want one a second for at least 60", count["getstats"])
			}
			if got := lines[len(lines)-1].method; got != "close" {
				t.Errorf("the last line is %s, want close", got)
			}
			var info struct{ StatsFormat string }
			if err := json.Unmarshal(lines[0].value, &info); err != nil || info.StatsFormat != "chrome_standard" {
				t.Errorf("statsFormat %q, %v; want chrome_standard", info.StatsFormat, err)
			}
		})
	}
}

func TestFilesReturnsCopies(t *testing.T) {
	Files()[0].Data[0] = 'x'
	if Files()[0].Data[0] != '[' {
		t.Error("a caller's change reached the next caller")
	}
}

func TestPersonalDataIsInEachFileAndMadeUp(t *testing.T) {
	for _, file := range Files() {
		t.Run(file.Name, func(t *testing.T) {
			for _, canary := range PersonalData() {
				if !bytes.Contains(file.Data, []byte(canary)) {
					t.Errorf("%q is not in the dump", canary)
				}
			}
			for _, address := range addresses(t, parse(t, file)) {
				if !documentation(address) {
					t.Error("an address is outside the documentation ranges")
				}
			}
		})
	}
}

// addresses returns each transport address that the dump's candidates and reports name.
func addresses(t *testing.T, lines []line) []string {
	t.Helper()
	var found []string
	for _, l := range lines {
		switch l.method {
		case "onicecandidate", "addIceCandidate":
			var c *struct{ Candidate string }
			if err := json.Unmarshal(l.value, &c); err != nil {
				t.Fatal(err)
			}
			if c != nil {
				words := strings.Fields(c.Candidate)
				found = append(found, words[4])
				if i := slices.Index(words, "raddr"); i >= 0 {
					found = append(found, words[i+1])
				}
			}
		case "getstats":
			for _, report := range reportsOf(t, l) {
				for _, name := range []string{"address", "ip", "relatedAddress"} {
					if address, ok := report[name].(string); ok {
						found = append(found, address)
					}
				}
			}
		}
	}
	if len(found) == 0 {
		t.Error("the dump names no address at all")
	}
	return found
}

func documentation(address string) bool {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	for _, prefix := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"} {
		if netip.MustParsePrefix(prefix).Contains(ip) {
			return true
		}
	}
	return false
}

// reportsOf returns the reports of a getstats line as they stand, without its top-level timestamp.
func reportsOf(t *testing.T, l line) map[string]report {
	t.Helper()
	var value map[string]json.RawMessage
	if err := json.Unmarshal(l.value, &value); err != nil {
		t.Fatal(err)
	}
	reports := map[string]report{}
	for id, raw := range value {
		if id == "timestamp" {
			continue
		}
		var r report
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatalf("report %s: %v", id, err)
		}
		reports[id] = r
	}
	return reports
}

// TestVerdicts says which streams are poor by plain arithmetic over the whole call and the
// default thresholds of Call Diagnostics. It is naive on purpose: an oracle for the
// real judge, not a second one.
func TestVerdicts(t *testing.T) {
	streams := []string{
		"inbound audio", "inbound screen", "inbound video",
		"outbound audio", "outbound screen", "outbound video",
	}
	tests := map[string]struct {
		poor []string            // streams that must be poor; all others of the six must be good
		must map[string][]string // reasons that were injected, so they must show
	}{
		"clean.dump": {},
		"impaired.dump": {
			poor: streams,
			must: map[string][]string{
				"inbound audio":  {"jitter", "loss"},
				"inbound video":  {"freeze", "jitter"},
				"outbound audio": {"jitter", "loss", "rtt"},
				"outbound video": {"jitter", "rtt"},
			},
		},
	}
	for _, file := range Files() {
		t.Run(file.Name, func(t *testing.T) {
			test := tests[file.Name]
			got := measure(t, parse(t, file))
			var seen, poor []string
			for name, m := range got {
				seen = append(seen, name)
				reasons := m.reasons(name)
				t.Logf("%s: %+v %v", name, m, reasons)
				if len(reasons) > 0 {
					poor = append(poor, name)
				}
				for _, reason := range test.must[name] {
					if !slices.Contains(reasons, reason) {
						t.Errorf("%s: %s is not among the reasons %v", name, reason, reasons)
					}
				}
			}
			slices.Sort(seen)
			slices.Sort(poor)
			if diff := cmp.Diff(streams, seen); diff != "" {
				t.Errorf("streams (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.poor, poor); diff != "" {
				t.Errorf("poor streams (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInboundAudioLossIsWhatTheRelayDropped compares the browser's own counters with the
// relay's, an independent count. Audio only: video is repaired under another SSRC.
func TestInboundAudioLossIsWhatTheRelayDropped(t *testing.T) {
	for _, file := range Files() {
		t.Run(file.Name, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + strings.TrimSuffix(file.Name, ".dump") + ".relay.json")
			if err != nil {
				t.Fatal(err)
			}
			var truth struct {
				Received map[string]struct{ Dropped float64 }
			}
			if err := json.Unmarshal(data, &truth); err != nil {
				t.Fatal(err)
			}
			audio := measure(t, parse(t, file))["inbound audio"]
			relayed, ok := truth.Received[fmt.Sprint(int64(audio.ssrc))]
			if !ok {
				t.Fatal("the relay saw no such SSRC")
			}
			if audio.lost != relayed.Dropped {
				t.Errorf("the browser lost %v packets, the relay dropped %v", audio.lost, relayed.Dropped)
			}
		})
	}
}

// TestRecorder runs the script's own tests: delta compression, made-up addresses, relay.
func TestRecorder(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is not on PATH; install Node 20 or newer")
		}
		t.Skip("node is not on PATH: the recorder's tests are skipped")
	}
	command := exec.Command(node, "--test", "dump.test.mjs", "relay.test.mjs")
	command.Dir = "record"
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}
