package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// onlyRetention as what is to be measured: the sweep alone.
const onlyRetention = "retention"

// retentionOptions are the flags of the measurement of the sweep.
type retentionOptions struct {
	// Due is how many copies fall due at once, Live how many are kept besides, over 30 days; 0 for not at all.
	Due, Live int
	// Idle is how many idle looks are taken.
	Idle int
}

// sweepResult is what was found.
type sweepResult struct {
	options    retentionOptions
	machine    string
	clickHouse string
	date       time.Time
	load       string

	filled usage
	// first is the look at everything, idle those after it, when nothing is due.
	first   time.Duration
	idle    []time.Duration
	idleCPU usage

	due        usage
	result     retention.Result
	goPeak     int64
	serverPeak int64
	steps      []sweepStep
}

// sweepStep is how long a sweep took until a step was done the last time.
type sweepStep struct {
	name string
	took time.Duration
}

// measureRetention fills a ClickHouse of its own and sweeps it.
func measureRetention(ctx context.Context, o retentionOptions, log io.Writer) (_ *sweepResult, err error) {
	dir, err := os.MkdirTemp("", "anteroom-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	engine, err := embedded.StartClickHouse(ctx, embedded.DefaultClickHouseConfig(filepath.Join(dir, "clickhouse")))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	t := target{Addr: engine.Addr(), User: engine.User(), Password: engine.Password(), Database: "bench"}
	if _, err := store.Migrate(ctx, t.config()); err != nil {
		return nil, err
	}
	tables, err := store.Open(t.config())
	if err != nil {
		return nil, err
	}
	defer tables.Close()
	conn, err := t.open()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	b := &sweepBench{options: o, conn: conn, tables: tables, pid: engine.Pid(), log: log, now: time.Now().UTC().Truncate(time.Second)}
	b.out = &sweepResult{options: o, machine: machine(), date: time.Now().UTC(), load: loadAverage()}
	if err := conn.QueryRow(ctx, "SELECT version()").Scan(&b.out.clickHouse); err != nil {
		return nil, fmt.Errorf("ask ClickHouse for its version: %w", err)
	}
	return b.out, b.run(ctx)
}

type sweepBench struct {
	options retentionOptions
	conn    driver.Conn
	tables  *store.Store
	pid     int
	log     io.Writer
	now     time.Time
	out     *sweepResult
}

func (b *sweepBench) run(ctx context.Context) error {
	meter := startMeter(b.pid, 0)
	fmt.Fprintf(b.log, "filling in %d live copies and %d that fall due …\n", b.options.Live, b.options.Due)
	// Live ones were sent over the last 29 days; those that fall due within an hour of the thirtieth day before.
	if err := b.fill(ctx, "live", b.options.Live, b.now.Add(-29*24*time.Hour), 29*24*time.Hour); err != nil {
		return err
	}
	if err := b.fill(ctx, "due", b.options.Due, b.now.Add(-30*24*time.Hour+time.Hour), time.Minute); err != nil {
		return err
	}
	b.out.filled = meter.stop()
	deps := retention.SweeperDeps{
		Region: "emea", Store: b.tables, IDKey: []byte("the benchmark's key"), MaxDecisionAge: -1,
		Log: slog.New(slog.NewTextHandler(b.log, nil)),
	}
	sweeper, err := retention.NewSweeper(retention.DefaultSweepConfig(), deps)
	if err != nil {
		return err
	}
	defer func() { _ = sweeper.Close(ctx) }()
	took, err := b.sweep(ctx, sweeper, b.now, 0)
	if err != nil {
		return err
	}
	b.out.first = took
	fmt.Fprintf(b.log, "the first look at all of it, which tells the ledger of each: %.1f s\n", took.Seconds())
	meter = startMeter(b.pid, 0)
	for n := range b.options.Idle {
		took, err := b.sweep(ctx, sweeper, b.now.Add(time.Duration(n+1)*5*time.Second), 0)
		if err != nil {
			return err
		}
		b.out.idle = append(b.out.idle, took)
	}
	b.out.idleCPU = meter.stop()
	fmt.Fprintf(b.log, "idle looks: %v\n", b.out.idle)
	return b.fallDue(ctx, sweeper)
}

// fallDue lets an hour pass.
func (b *sweepBench) fallDue(ctx context.Context, sweeper *retention.Sweeper) error {
	if b.options.Due == 0 {
		return nil
	}
	began := time.Now()
	sweeper.OnStep(func(step string) {
		i := slices.IndexFunc(b.out.steps, func(s sweepStep) bool { return s.name == step })
		if i < 0 {
			i = len(b.out.steps)
			b.out.steps = append(b.out.steps, sweepStep{name: step})
		}
		b.out.steps[i].took = time.Since(began)
	})
	meter := startMeter(b.pid, 0)
	result, err := sweeper.Sweep(ctx, b.now.Add(2*time.Hour), false)
	b.out.due, b.out.result = meter.stop(), result
	if err != nil {
		return err
	}
	if result.Partial || result.Purged < uint64(b.options.Due) { //nolint:gosec // a flag
		return fmt.Errorf("of %d copies %d were purged: %q", b.options.Due, result.Purged, result.Problems)
	}
	b.out.goPeak, b.out.serverPeak = peakMemory(), peakOf(b.pid)
	fmt.Fprintf(b.log, "%d copies: %.1f s; steps %v\n", result.Purged, b.out.due.Wall.Seconds(), b.out.steps)
	return nil
}

func (b *sweepBench) sweep(ctx context.Context, s *retention.Sweeper, now time.Time, want uint64) (time.Duration, error) {
	began := time.Now()
	result, err := s.Sweep(ctx, now, false)
	if err != nil {
		return 0, err
	}
	if result.Partial || result.Purged != want {
		return 0, fmt.Errorf("%d copies were purged, not %d: %q", result.Purged, want, result.Problems)
	}
	return time.Since(began), nil
}

// fill makes copies: of one message in each of a quarter as many meetings, four guests each, of ten organisations, with texts of 200 bytes.
func (b *sweepBench) fill(ctx context.Context, kind string, copies int, from time.Time, span time.Duration) error {
	const guests, chunk = 4, 1_000_000
	for done := 0; done < copies; done += chunk {
		n := min(chunk, copies-done)
		base := fmt.Sprintf(`SELECT number + %d AS copy, intDiv(copy, %d) AS meeting, toString(meeting %% 10) AS org, concat('%s', toString(meeting)) AS call_id,
			reinterpretAsUUID(MD5(concat('m', call_id))) AS meeting_id, reinterpretAsUUID(MD5(concat('t', call_id))) AS message_id,
			reinterpretAsUUID(MD5(concat('r', org))) AS resource_id,
			fromUnixTimestamp64Micro(%d + toInt64(cityHash64(meeting) %% %d), 'UTC') AS sent_at FROM numbers(%d)`, done, guests, kind, from.UnixMicro(), span.Microseconds(), n)
		for _, statement := range []string{
			`INSERT INTO retained (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at, inserted_at)
				SELECT 'copy', org, meeting_id, call_id, message_id, reinterpretAsUUID(MD5(concat('h', call_id, toString(copy)))), resource_id, sent_at, sent_at FROM (` + base + `)`,
			`INSERT INTO copy_heads (org, meeting_id, call_id, holder_id, message_id, sent_at)
				SELECT org, meeting_id, call_id, reinterpretAsUUID(MD5(concat('h', call_id, toString(copy)))), message_id, sent_at FROM (` + base + `)`,
			`INSERT INTO texts (class, org, meeting_id, call_id, message_id, sent_at, revised_at, text, inserted_at)
				SELECT 'copy', org, meeting_id, call_id, message_id, sent_at, sent_at, randomPrintableASCII(200), sent_at FROM (` + base + `) WHERE copy % 4 = 0`,
			`INSERT INTO retention_decisions (org, meeting_id, class, resource_id, period_s, held, rule_id, reason, revision, decided_at, seq, inserted_at)
				SELECT org, meeting_id, 'copy', resource_id, 30 * 86400, false, 'default', 'default', 'r', sent_at, 1, sent_at FROM (` + base + `) WHERE copy % 4 = 0`,
		} {
			if err := b.conn.Exec(ctx, statement+" SETTINGS max_partitions_per_insert_block = 0"); err != nil {
				return fmt.Errorf("fill in: %w", err)
			}
		}
	}
	return nil
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

// markdown is the result as the page on benchmarks shows it.
func (r *sweepResult) markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Measured on %s with `go run ./bench -only retention -due %d -live %d`: %s, %d processors (%s/%s), %s, ClickHouse %s (embedded engine), load average %s when it began.",
		r.date.Format("2 January 2006"), r.options.Due, r.options.Live, r.machine, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), r.clickHouse, r.load)
	line("")
	line("| | |")
	line("|---|--:|")
	line("| first look at %d copies, each told of in the ledger | %.1f s |", r.options.Due+r.options.Live, r.first.Seconds())
	if len(r.idle) > 0 {
		line("| idle sweep, median | %d ms |", int64(median(milliseconds(r.idle))))
		line("| idle sweep, slowest of %d | %d ms |", len(r.idle), int64(slices.Max(milliseconds(r.idle))))
		line("| processor time per idle sweep: sweeper, ClickHouse | %d ms, %d ms |", (r.idleCPU.Self / time.Duration(len(r.idle))).Milliseconds(),
			(r.idleCPU.ClickHouse / time.Duration(len(r.idle))).Milliseconds())
	}
	if r.options.Due > 0 {
		line("| %d copies due at once: hidden, purged, checked, proven | %.1f s |", r.result.Purged, r.due.Wall.Seconds())
		line("| processor time of that: sweeper, ClickHouse | %.1f s, %.1f s |", r.due.Self.Seconds(), r.due.ClickHouse.Seconds())
		line("| most memory (resident): sweeper, ClickHouse | %d MiB, %d MiB |", r.goPeak>>20, r.serverPeak>>20)
		for _, step := range r.steps {
			line("| … until the last “%s” | %.1f s |", step.name, step.took.Seconds())
		}
	}
	return b.String()
}

func milliseconds(list []time.Duration) []float64 {
	out := make([]float64, len(list))
	for i, d := range list {
		out[i] = float64(d.Milliseconds())
	}
	return out
}
