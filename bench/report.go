package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// markdown is the result as the page on benchmarks shows it.
func (r *result) markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Measured on %s with `go run ./bench -rows %d -rounds %d`: %s, %d processors (%s/%s), %s. Apache Kafka %s, ClickHouse %s (embedded engine),",
		r.date.Format("2 January 2006"), r.options.Rows, r.options.Rounds, r.machine, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, r.goVersion, r.kafka, r.clickHouse)
	line("all on this one machine. %d rows in %d records of %.0f bytes (Protobuf, lz4) on %d partitions; %d rounds, contenders in turns.",
		r.rows(), r.rows()/streamsPerReport, r.recordBytes, topicPartitions, len(r.outcomes[contenderIngest]))
	if r.stopped {
		line("There was no time for all rounds.")
	}
	line("")
	line("| contender | rows/s, median | min–max | ingest is … times as fast, median | min–max | CPU µs/row: client | ClickHouse | Kafka | inserts |")
	line("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, c := range r.contenders {
		rates, outs := r.rates(c.name), r.outcomes[c.name]
		if len(rates) == 0 {
			continue
		}
		ratio, spread := "1", ""
		if c.name != contenderIngest {
			ratios := r.ratios(c.name)
			ratio, spread = fmt.Sprintf("%.2f", median(ratios)), fmt.Sprintf("%.2f–%.2f", slices.Min(ratios), slices.Max(ratios))
		}
		inserts := "–"
		if outs[0].Inserts > 0 {
			inserts = fmt.Sprint(outs[0].Inserts)
		}
		line("| %s | %.0f | %.0f–%.0f | %s | %s | %s | %s | %s | %s |", c.label, median(rates), slices.Min(rates), slices.Max(rates), ratio, spread,
			r.perRow(outs, func(u usage) time.Duration { return u.Self }), r.perRow(outs, func(u usage) time.Duration { return u.ClickHouse }),
			r.perRow(outs, func(u usage) time.Duration { return u.Kafka }), inserts)
	}
	line("")
	var peaks []float64
	for _, out := range r.outcomes[contenderIngest] {
		peaks = append(peaks, float64(out.PeakMemory>>20))
	}
	line("The ingest process took %.0f MiB at most (resident). Kafka table engine: `%s`,", slices.Max(peaks), r.options.Tables)
	line("with `background_message_broker_schedule_pool_size = 16`.")
	line("Work that had nothing to do with the run took %.0f to %.0f %% of the processors during the turns.", 100*slices.Min(r.foreign()), 100*slices.Max(r.foreign()))
	if l := r.latency; l != nil {
		line("")
		line("From produce to query at a steady %d rows/s (%d records measured): median %d ms, 90 %% within %d ms, 99 %% within %d ms, all within %d ms.",
			l.LoadRows, l.Records, l.P50.Milliseconds(), l.P90.Milliseconds(), l.P99.Milliseconds(), l.Max.Milliseconds())
		line("The table was asked every %d ms.", l.Poll.Milliseconds())
	}
	return b.String()
}

// foreign is the share of the processors that went to other work on the machine, by turn.
func (r *result) foreign() []float64 {
	var shares []float64
	for _, outs := range r.outcomes {
		for _, out := range outs {
			u := out.Usage
			other := max(0, u.Machine-u.Self-u.ClickHouse-u.Kafka)
			shares = append(shares, other.Seconds()/u.Wall.Seconds()/float64(runtime.NumCPU()))
		}
	}
	return shares
}

// perRow is the median processor time per row, in microseconds; "–" if none was told.
func (r *result) perRow(outs []outcome, of func(usage) time.Duration) string {
	var each []float64
	for _, out := range outs {
		each = append(each, float64(of(out.Usage).Microseconds())/float64(r.rows()))
	}
	if m := median(each); m > 0 {
		return fmt.Sprintf("%.2f", m)
	}
	return "–"
}

// markers are the lines of the page between which a result is written.
type markers struct{ begin, end string }

var (
	ingestMarkers    = markers{"<!-- begin of what `make bench` wrote -->", "<!-- end of what `make bench` wrote -->"}
	retentionMarkers = markers{"<!-- begin of what `make bench` wrote of retention -->", "<!-- end of what `make bench` wrote of retention -->"}
	analyticsMarkers = markers{"<!-- begin of what `make bench` wrote of analytics -->", "<!-- end of what `make bench` wrote of analytics -->"}
	mediaMarkers     = markers{"<!-- begin of what `make bench` wrote of media -->", "<!-- end of what `make bench` wrote of media -->"}
)

// writeBetweenMarkers replaces what stands between the markers of a file.
func writeBetweenMarkers(path string, m markers, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	before, rest, ok := strings.Cut(string(old), m.begin)
	_, after, ok2 := strings.Cut(rest, m.end)
	if !ok || !ok2 {
		return fmt.Errorf("%s lacks the lines %q and %q", path, m.begin, m.end)
	}
	page := before + m.begin + "\n\n" + strings.TrimSpace(text) + "\n\n" + m.end + after
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil { //nolint:gosec // a page for everybody
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
