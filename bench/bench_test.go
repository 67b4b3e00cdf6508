package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/kafkatest"
)

func TestMain(m *testing.M) {
	embedded.ChildMain()
	childMain()
	os.Exit(m.Run())
}

// TestMeasure_AllContendersStoreTheSameRows runs everything once with few rows. That each contender stored as many rows as were
// produced, and the same ones, is checked by the run itself: it fails otherwise. Times are not looked at.
func TestMeasure_AllContendersStoreTheSameRows(t *testing.T) {
	o := defaultOptions()
	o.Rows, o.Rounds, o.Latency, o.LoadRows = 10_000, 1, time.Second, 2000
	o.Tables.FlushInterval = 500 * time.Millisecond
	result, err := measure(t.Context(), o, t.Output())
	if errors.Is(err, kafkatest.ErrMissingTool) && os.Getenv("CI") != "true" {
		t.Skip("Apache Kafka can't be run here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	turns := map[string]int{}
	for name, outcomes := range result.outcomes {
		turns[name] = len(outcomes)
	}
	want := map[string]int{contenderIngest: 1, contenderColumns: 1, contenderStore: 1, contenderRows: 1, contenderProtobuf: 1, contenderJSON: 1}
	if diff := cmp.Diff(want, turns); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
	if got, want := result.latency.Records, o.LoadRows/streamsPerReport; got != want {
		t.Errorf("%d records measured from produce to query, want %d", got, want)
	}
	if n := strings.Count(result.markdown(), "\n| "); n != 1+len(want) {
		t.Errorf("the table has %d lines, want a heading and %d contenders:\n%s", n, len(want), result.markdown())
	}
}

func TestChild_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	// Nothing answers at this address, so the service tries again for as long as it lives.
	c, err := startChild(ctx, plan{Contender: contenderServe, Brokers: []string{"127.0.0.1:1"}, Region: region, Group: "g", Target: target{
		Addr: "127.0.0.1:1", User: "u", Database: "d",
	}}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.wait(); err == nil {
		t.Error("the contender ended without an error after it was killed")
	}
}

func TestWriteBetweenMarkers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + ingestMarkers.begin + "\nold\n" + ingestMarkers.end + "\nafter\n")
	if err := writeBetweenMarkers(path, ingestMarkers, "new\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("before\n"+ingestMarkers.begin+"\n\nnew\n\n"+ingestMarkers.end+"\nafter\n", string(got)); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	write("no markers\n")
	if err := writeBetweenMarkers(path, ingestMarkers, "new\n"); err == nil {
		t.Error("a page without markers was taken")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}
