package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/internal/kafkatest"
)

// contender is one way from the topic, or from prepared rows, into the table.
type contender struct {
	name string
	// label is how the result calls it.
	label string
	// once says that one round of it is enough.
	once       bool
	sameOrigin bool
	run        func(ctx context.Context, t target, first bool) (outcome, error)
}

// result is what a run found.
type result struct {
	options     options
	machine     string
	goVersion   string
	kafka       string
	clickHouse  string
	date        time.Time
	recordBytes float64
	contenders  []contender
	outcomes    map[string][]outcome
	latency     *latency
	stopped     bool
}

// measure lets all contenders take their turns.
func measure(ctx context.Context, o options, log io.Writer) (*result, error) {
	began := time.Now()
	rig, err := newRig(ctx, log)
	if err != nil {
		return nil, err
	}
	defer rig.close()
	reports := o.Rows / streamsPerReport
	rows := reports * streamsPerReport
	fmt.Fprintf(log, "producing %d reports of %d streams …\n", reports, streamsPerReport)
	res := &result{
		options: o, machine: machine(), goVersion: runtime.Version(), kafka: kafkatest.Version(), clickHouse: rig.version, date: time.Now().UTC(),
		outcomes: map[string][]outcome{}, contenders: rig.contenders(o, rows),
	}
	if res.recordBytes, err = rig.fill(ctx, reports, o.JSON); err != nil {
		return nil, err
	}
	var digests digestCheck
	for round := range o.Rounds {
		roundBegan := time.Now()
		var onceTook time.Duration // what the next round will not take
		for _, c := range res.contenders {
			if (c.once && round > 0) || (o.Only != "" && !slices.Contains(strings.Split(o.Only, ","), c.name)) {
				continue
			}
			turnBegan := time.Now()
			out, err := rig.turn(ctx, c, round == 0, &digests)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if c.once {
				onceTook += time.Since(turnBegan)
			}
			res.outcomes[c.name] = append(res.outcomes[c.name], out)
			fmt.Fprintf(log, "round %d  %-20s %8.0f rows/s  %5.1f s; CPU s: own %.1f, ClickHouse %.1f, Kafka %.1f, whole machine %.1f; inserts %d, peak %d MiB\n", round+1, c.name,
				float64(rows)/out.Usage.Wall.Seconds(), out.Usage.Wall.Seconds(), out.Usage.Self.Seconds(), out.Usage.ClickHouse.Seconds(),
				out.Usage.Kafka.Seconds(), out.Usage.Machine.Seconds(), out.Inserts, out.PeakMemory>>20)
		}
		if round+1 < o.Rounds && time.Since(began)+time.Since(roundBegan)-onceTook+o.Latency > o.Limit {
			res.stopped = true
			fmt.Fprintln(log, "no time for another round")
			break
		}
	}
	if o.Latency > 0 && (o.Only == "" || o.LoadRows > 0) {
		load := o.LoadRows
		if load == 0 {
			load = int(median(res.rates(contenderIngest))) / 2
		}
		fmt.Fprintf(log, "producing %d rows/s for %v …\n", load, warmUp+o.Latency)
		l, err := rig.measureLatency(ctx, load, o.Latency)
		if err != nil {
			return nil, fmt.Errorf("from produce to query: %w", err)
		}
		fmt.Fprintf(log, "from produce to query: 50 %% within %v, 90 %% %v, 99 %% %v, all %v; peak %d MiB\n", l.P50, l.P90, l.P99, l.Max, l.PeakMemory>>20)
		res.latency = &l
	}
	return res, nil
}

const (
	contenderProtobuf = "engine-protobuf"
	contenderJSON     = "engine-json"
)

func (r *rig) contenders(o options, rows int) []contender {
	own := func(name string) func(context.Context, target, bool) (outcome, error) {
		return func(ctx context.Context, t target, first bool) (outcome, error) {
			p := r.plan(name, region, t, rows)
			if first && name == contenderIngest {
				p.Profile = o.Profile
			}
			c, err := startChild(ctx, p, r.log)
			if err != nil {
				return outcome{}, err
			}
			return c.wait()
		}
	}
	all := []contender{
		{name: contenderIngest, label: "Anteroom's ingest, Kafka to table", sameOrigin: true, run: own(contenderIngest)},
		{name: contenderColumns, label: "clickhouse-go, columns, insert alone", sameOrigin: true, run: own(contenderColumns)},
		{name: contenderStore, label: "Anteroom's own insert alone", sameOrigin: true, run: own(contenderStore)},
		{name: contenderRows, label: "clickhouse-go, row by row, insert alone", sameOrigin: true, run: own(contenderRows)},
		{
			name: contenderProtobuf, label: "Kafka table engine, same topic (Protobuf)", sameOrigin: true,
			run: func(ctx context.Context, t target, _ bool) (outcome, error) {
				table, view, err := r.protobufQueue("engine-"+t.Database, o.Tables)
				if err != nil {
					return outcome{}, err
				}
				return r.tableEngine(ctx, t, rows, table, view)
			},
		},
	}
	if o.JSON {
		all = append(all, contender{
			name: contenderJSON, label: "Kafka table engine, JSONEachRow, a record per row", once: true,
			run: func(ctx context.Context, t target, _ bool) (outcome, error) {
				table, view := r.jsonQueue("engine-"+t.Database, o.Tables)
				return r.tableEngine(ctx, t, rows, table, view)
			},
		})
	}
	return all
}

// turn is one contender's, in a database of its own; in the first round its rows are compared with the others'.
func (r *rig) turn(ctx context.Context, c contender, compare bool, digests *digestCheck) (outcome, error) {
	t, drop, err := r.database(ctx)
	if err != nil {
		return outcome{}, err
	}
	defer drop()
	out, err := c.run(ctx, t, compare)
	if err != nil || !compare {
		return out, err
	}
	return out, digests.compare(ctx, c, t)
}

// digestCheck compares what contenders stored.
type digestCheck struct{ all, data uint64 }

func (d *digestCheck) compare(ctx context.Context, c contender, t target) error {
	data, err := digest(ctx, t, false)
	if err != nil {
		return err
	}
	if d.data == 0 {
		d.data = data
	}
	if data != d.data {
		return fmt.Errorf("stored other rows than %s", contenderIngest)
	}
	if !c.sameOrigin {
		return nil
	}
	all, err := digest(ctx, t, true)
	if err != nil {
		return err
	}
	if d.all == 0 {
		d.all = all
	}
	if all != d.all {
		return fmt.Errorf("stored rows of other origins than %s", contenderIngest)
	}
	return nil
}

// rates are a contender's rows per second, by round.
func (r *result) rates(name string) []float64 {
	var rates []float64
	for _, out := range r.outcomes[name] {
		rates = append(rates, float64(r.rows())/out.Usage.Wall.Seconds())
	}
	return rates
}

func (r *result) rows() int { return r.options.Rows / streamsPerReport * streamsPerReport }

// ratios are ingest's rates over another contender's of the same round.
func (r *result) ratios(name string) []float64 {
	ours, theirs := r.rates(contenderIngest), r.rates(name)
	var ratios []float64
	for i := range min(len(ours), len(theirs)) {
		ratios = append(ratios, ours[i]/theirs[i])
	}
	return ratios
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
