package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// onlyAnalytics as what is to be measured: questions about calls alone.
const onlyAnalytics = "analytics"

// analyticsOptions are the flags of the measurement of questions about calls.
type analyticsOptions struct {
	// Samples are stored, samplesPerStream of each stream and streamsPerCall of each call.
	Samples int
	// Times is how often each question is asked.
	Times int
	// Data is a folder that keeps what was filled in, and is asked again if it has that already; "" for none.
	Data string
}

const (
	samplesPerStream = 100
	streamsPerCall   = 10
	benchDays        = 30
)

// analyticsBench is a store full of calls, and the API over it.
type analyticsBench struct {
	options analyticsOptions
	engine  *embedded.ClickHouse
	conn    driver.Conn
	tables  *store.Store
	handler http.Handler
	log     io.Writer
	// until is when the last call ended.
	until time.Time
	// ids are calls, each with one of its participants.
	ids [][2]string
	out *analyticsResult
}

// measureAnalytics fills a ClickHouse of its own and asks it.
func measureAnalytics(ctx context.Context, o analyticsOptions, log io.Writer) (_ *analyticsResult, err error) {
	dir := o.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "anteroom-bench-"); err != nil {
			return nil, fmt.Errorf("make a folder: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
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
	b := &analyticsBench{
		options: o, engine: engine, conn: conn, tables: tables, log: log,
		out: &analyticsResult{options: o, machine: machine(), date: time.Now().UTC(), load: loadAverage()},
	}
	if err := conn.QueryRow(ctx, "SELECT version()").Scan(&b.out.clickHouse); err != nil {
		return nil, fmt.Errorf("ask ClickHouse for its version: %w", err)
	}
	server, err := api.New(api.DefaultConfig(), api.Deps{Store: tables, Auth: everybody{}})
	if err != nil {
		return nil, err
	}
	b.handler = server
	return b.out, b.run(ctx)
}

// everybody proves whoever asks to be an admin of the organisation that the calls are of.
type everybody struct{}

func (everybody) User(context.Context, string) (identity.Principal, error) {
	return identity.Principal{Org: organisation, Subject: "admin", Roles: []identity.Role{identity.Admin}, Expires: time.Now().Add(time.Hour)}, nil
}

func (everybody) Guest(context.Context, string) (identity.Principal, error) {
	return identity.Principal{}, errors.New("there are no guests")
}

func (b *analyticsBench) run(ctx context.Context) error {
	var filled uint64
	err := b.conn.QueryRow(ctx, "SELECT count(), max(toStartOfDay(hour)) + INTERVAL 1 DAY FROM rollup_hour").Scan(&filled, &b.until)
	if err != nil {
		return fmt.Errorf("look what is there: %w", err)
	}
	if filled > 0 {
		b.until = b.until.UTC()
	} else {
		b.until = time.Now().UTC().Truncate(24 * time.Hour)
		if err := b.make(ctx); err != nil {
			return err
		}
	}
	if err := b.pick(ctx); err != nil {
		return err
	}
	return b.ask(ctx)
}

// make fills in everything.
func (b *analyticsBench) make(ctx context.Context) error {
	began := time.Now()
	fmt.Fprintf(b.log, "filling in %d samples of %d streams …\n", b.options.Samples, b.options.Samples/samplesPerStream)
	if err := b.fill(ctx); err != nil {
		return err
	}
	b.out.filled = time.Since(began)
	fmt.Fprintf(b.log, "filled in %.0f s; summing up %d calls …\n", b.out.filled.Seconds(), b.calls())
	profiles, err := quality.NewProfiles(quality.DefaultConfig())
	if err != nil {
		return err
	}
	m, err := analytics.NewSummariser(b.tables, profiles, analytics.DefaultConfig(), time.Now, slog.New(slog.NewTextHandler(b.log, nil)), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	began = time.Now()
	if b.out.summed, err = m.Pass(ctx); err != nil {
		return err
	}
	b.out.summing = time.Since(began)
	fmt.Fprintf(b.log, "summed up %d calls in %.0f s; building roll-ups …\n", b.out.summed, b.out.summing.Seconds())
	if err := b.rollUp(ctx); err != nil {
		return err
	}
	for _, table := range []string{"calls", "participants", "streams", "call_summaries", "call_builds", "call_changes"} {
		if err := b.conn.Exec(ctx, "OPTIMIZE TABLE "+table); err != nil {
			return fmt.Errorf("merge parts: %w", err)
		}
	}
	return nil
}

// pick finds calls to ask about.
func (b *analyticsBench) pick(ctx context.Context) error {
	rows, err := b.conn.Query(ctx, "SELECT call_id, toString(people.participant_id[1]) FROM call_summaries FINAL WHERE profile = 'cqd' ORDER BY sipHash64(call_id) LIMIT 500")
	if err != nil {
		return fmt.Errorf("pick calls: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id [2]string
		if err := rows.Scan(&id[0], &id[1]); err != nil {
			return fmt.Errorf("pick calls: %w", err)
		}
		b.ids = append(b.ids, id)
	}
	return rows.Err()
}

// ask asks each question in both ways, in turns of some times each.
func (b *analyticsBench) ask(ctx context.Context) error {
	const turn = 5
	for _, q := range b.questions() {
		a := analyticsAnswer{name: q.name, page: q.page}
		for n := -turn; n < b.options.Times; n += turn { // the first turn warms up
			var ours, theirs usage
			for _, side := range []struct {
				took *[]time.Duration
				cost *usage
				ask  func(n int) (time.Duration, error)
			}{
				{&a.ours, &ours, func(n int) (time.Duration, error) { path, _, _ := q.at(n); return b.get(ctx, path) }},
				{&a.theirs, &theirs, func(n int) (time.Duration, error) { _, sql, args := q.at(n); return b.query(ctx, sql, args) }},
			} {
				meter := startMeter(b.engine.Pid(), 0)
				for i := range turn {
					took, err := side.ask(n + turn + i)
					if err != nil {
						return fmt.Errorf("%s: %w", q.name, err)
					}
					if n >= 0 {
						*side.took = append(*side.took, took)
					}
				}
				*side.cost = meter.stop()
			}
			if n >= 0 {
				a.cost += ours.Self + ours.ClickHouse
				a.handCost += theirs.Self + theirs.ClickHouse
			}
		}
		b.out.answers = append(b.out.answers, a)
		fmt.Fprintf(b.log, "%s: %.1f ms, by hand %.1f ms; processors %v, %v\n", q.name, percentile(a.ours, 50), percentile(a.theirs, 50), a.cost, a.handCost)
	}
	return nil
}

// get asks the API and reads the whole answer, without a network in between.
func (b *analyticsBench) get(ctx context.Context, path string) (time.Duration, error) {
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	request.Header.Set("Authorization", "Bearer x")
	answer := httptest.NewRecorder()
	began := time.Now()
	b.handler.ServeHTTP(answer, request)
	took := time.Since(began)
	if answer.Code != http.StatusOK {
		return 0, fmt.Errorf("%s: %d %s", path, answer.Code, answer.Body)
	}
	return took, nil
}

// query runs statements by hand and reads all their rows.
func (b *analyticsBench) query(ctx context.Context, statements []string, args []any) (time.Duration, error) {
	began := time.Now()
	for _, sql := range statements {
		rows, err := b.conn.Query(ctx, sql, args...)
		if err != nil {
			return 0, fmt.Errorf("query: %w", err)
		}
		for rows.Next() {
		}
		err = errors.Join(rows.Err(), rows.Close())
		if err != nil {
			return 0, fmt.Errorf("read rows: %w", err)
		}
	}
	return time.Since(began), nil
}
