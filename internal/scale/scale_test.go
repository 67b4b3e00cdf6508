package main

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const again = "run go run ./internal/scale > /tmp/scale.md, and put that to docs/scale.md"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestThePageIsWhatFollows of the figures that it says it was made of; and these are near what was measured last: each run of the benchmarks moves them a little.
func TestThePageIsWhatFollows(t *testing.T) {
	there := read(t, "../../docs/scale.md")
	found := regexp.MustCompile(`<!-- measured: (\{.*\}) -->`).FindStringSubmatch(there)
	if found == nil {
		t.Fatal("the page doesn't say what it was made of")
	}
	var of measured
	if err := json.Unmarshal([]byte(found[1]), &of); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(there, write(of, assumed(), work(of, assumed()))); diff != "" {
		t.Errorf("docs/scale.md is out of date: %s (-there +now):\n%s", again, diff)
	}
	now, err := measuredIn(read(t, "../../docs/benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	was, is := reflect.ValueOf(of), reflect.ValueOf(now)
	for i := range was.NumField() {
		if ratio := is.Field(i).Float() / was.Field(i).Float(); ratio < 0.5 || ratio > 2 {
			t.Errorf("%s is %v in benchmarks.md, the page was made of %v: %s", was.Type().Field(i).Name, is.Field(i), was.Field(i), again)
		}
	}
}

func TestWork(t *testing.T) {
	m := measured{RowsPerSecond: 100_000, IngestMicros: 2, ClickHouseMicros: 4, KafkaMicros: 0.5, RecordBytes: 500, RowsPerRecord: 5, PacketMicros: 10, DueCopies: 1e6, DueSeconds: 100}
	a := assumed()
	a.Audio, a.Video, a.AudioPackets, a.VideoPackets, a.AudioKbps, a.VideoKbps, a.Own, a.ReportSeconds = 1, 1, 50, 50, 100, 900, 2, 10
	a.Cores, a.Used, a.NodesPerCell, a.Participants = 10, 0.5, 10, 1e6
	n := work(m, a)
	for name, pair := range map[string][2]float64{
		"packets of a node":      {n.PacketsPerNode, 500_000}, // 10 × 0.5 / 10 µs
		"participants of a node": {n.ParticipantsPerNode, 5_000},
		"Gbit/s of a node":       {n.GbpsPerNode, 5},
		"nodes":                  {n.Nodes, 200},
		"cells":                  {n.Cells, 20},
		"rows":                   {n.RowsPerSecond, 400_000},
		"ingest":                 {n.IngestCores, 1.6},
		"TB a day":               {n.DiskPerDay, 400_000 * 0.25 * 86400 * 100 / 1e12},
		"brokers":                {n.Brokers, 60},
		"sweeps":                 {n.SweepPerSecond, 10_000},
	} {
		if diff := pair[0] - pair[1]; diff > 1e-6*pair[1] || diff < -1e-6*pair[1] {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestWhatIsNotMeasuredIsAnError(t *testing.T) {
	if _, err := measuredIn("nothing"); err == nil {
		t.Error("figures were found in nothing")
	}
}

func TestPlaces(t *testing.T) {
	for want, x := range map[string]float64{"1,000,000": 1e6, "12,346": 12345.6, "999": 999, "10": 10.2, "1.5": 1.52, "2": 2.01} {
		if got := places(x); got != want {
			t.Errorf("%v is %q, want %q", x, got, want)
		}
	}
}
