package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/anteroom/anteroom/event"
)

// latency is the time from produce to query, over the records of a steady load.
type latency struct {
	LoadRows                 int // rows per second that were produced
	Records                  int
	P50, P90, P99, Max, Poll time.Duration
	Usage                    usage
	PeakMemory               int64
}

const (
	loadTick = 10 * time.Millisecond
	// queryInterval is how often the table is asked for its newest rows.
	queryInterval = 20 * time.Millisecond
	// warmUp is not counted: the group is joined and connections are opened.
	warmUp = 5 * time.Second
)

// sighting is what a query found: the newest offset of a partition, at the time of its answer.
type sighting struct {
	offset int64
	at     time.Time
}

// measureLatency runs the service under a steady load. Each record carries as its time of observation when it was due to be
// produced, so that waiting for a slow broker counts too.
func (r *rig) measureLatency(ctx context.Context, rowsPerSecond int, length time.Duration) (latency, error) {
	t, drop, err := r.database(ctx)
	if err != nil {
		return latency{}, err
	}
	defer drop()
	if err := r.topics(ctx, latencyRegion); err != nil {
		return latency{}, err
	}
	service, err := startChild(ctx, r.plan(contenderServe, latencyRegion, t, 0), r.log)
	if err != nil {
		return latency{}, err
	}
	conn, err := t.open()
	if err != nil {
		return latency{}, err
	}
	defer conn.Close()
	produced := make(chan error, 1)
	var records int
	start := time.Now().Truncate(time.Millisecond).Add(time.Second) // what is stored has microseconds
	go func() {
		var err error
		records, err = r.load(ctx, start, rowsPerSecond/streamsPerReport, warmUp+length)
		produced <- err
	}()
	seen, polls, watchErr := watch(ctx, conn, start.Add(warmUp+length+5*time.Second))
	if err := <-produced; err != nil {
		return latency{}, err
	}
	if watchErr != nil {
		return latency{}, watchErr
	}
	l, err := latencies(ctx, conn, seen, start.Add(warmUp), records)
	if err != nil {
		return latency{}, err
	}
	l.LoadRows, l.Poll = rowsPerSecond, (warmUp+length)/time.Duration(max(1, polls))
	service.end()
	out, err := service.wait()
	l.Usage, l.PeakMemory = out.Usage, out.PeakMemory
	return l, err
}

// load produces reports evenly from start on, as several media nodes do, and tells how many.
func (r *rig) load(ctx context.Context, start time.Time, perSecond int, length time.Duration) (int, error) {
	producer := r.client.NewProducer()
	defer producer.Close() //nolint:errcheck // all writes were acknowledged or failed
	group, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	total := 0
	for node := range mediaNodes {
		group.Go(func() error {
			work := newWorkload(latencyRegion, uint64(100+node))
			gap := time.Second * mediaNodes / time.Duration(perSecond)
			end := int(length / gap)
			for n := 0; n < end; {
				due := min(end, int(time.Since(start)/gap))
				var records []event.Record
				for ; n < due; n++ {
					e := work.next()
					e.Source = fmt.Sprintf("%s/%d", e.Source, node)
					e.ObservedAtUs = start.Add(time.Duration(n) * gap).UnixMicro()
					record, err := event.Encode(e)
					if err != nil {
						return err
					}
					records = append(records, record)
				}
				if len(records) > 0 {
					if _, err := producer.Write(ctx, records...); err != nil {
						return err
					}
				}
				select {
				case <-time.After(loadTick):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total += end
			return nil
		})
	}
	err := group.Wait()
	return total, err
}

// watch asks for the newest rows of each partition until a time.
func watch(ctx context.Context, conn driver.Conn, until time.Time) (map[int32][]sighting, int, error) {
	seen := map[int32][]sighting{}
	polls := 0
	for time.Now().Before(until) {
		// All partitions grow alike: what lies far behind the slowest need not be read.
		var behind int64
		for i, s := range seen {
			if last := s[len(s)-1].offset; i == 0 || last < behind {
				behind = last
			}
		}
		rows, err := conn.Query(ctx, "SELECT _partition, max(_offset) FROM samples WHERE _offset >= $1 GROUP BY _partition", behind)
		if err != nil {
			return nil, 0, fmt.Errorf("query newest rows: %w", err)
		}
		found := map[int32]int64{}
		for rows.Next() {
			var partition int32
			var offset int64
			if err := rows.Scan(&partition, &offset); err != nil {
				return nil, 0, fmt.Errorf("query newest rows: %w", err)
			}
			found[partition] = offset
		}
		_ = rows.Close()
		if err := rows.Err(); err != nil {
			return nil, 0, fmt.Errorf("query newest rows: %w", err)
		}
		now := time.Now()
		for partition, offset := range found {
			if s := seen[partition]; len(s) == 0 || s[len(s)-1].offset < offset {
				seen[partition] = append(s, sighting{offset, now})
			}
		}
		if time.Until(until) > 5*time.Second {
			polls++
		}
		time.Sleep(queryInterval)
	}
	return seen, polls, nil
}

// latencies compares when each record was due with when its rows were first seen.
func latencies(ctx context.Context, conn driver.Conn, seen map[int32][]sighting, from time.Time, records int) (latency, error) {
	var stored uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM samples").Scan(&stored); err != nil {
		return latency{}, fmt.Errorf("count rows: %w", err)
	}
	if stored != uint64(records*streamsPerReport) {
		return latency{}, fmt.Errorf("%d rows are stored of %d produced", stored, records*streamsPerReport)
	}
	rows, err := conn.Query(ctx, "SELECT _partition, _offset, observed_at FROM samples WHERE _index = 0")
	if err != nil {
		return latency{}, fmt.Errorf("query times: %w", err)
	}
	defer rows.Close()
	var all []time.Duration
	for rows.Next() {
		var partition int32
		var offset int64
		var due time.Time
		if err := rows.Scan(&partition, &offset, &due); err != nil {
			return latency{}, fmt.Errorf("query times: %w", err)
		}
		if due.Before(from) {
			continue
		}
		s := seen[partition]
		i, _ := slices.BinarySearchFunc(s, offset, func(s sighting, o int64) int { return int(s.offset - o) })
		if i == len(s) {
			return latency{}, fmt.Errorf("a record was stored but never seen")
		}
		all = append(all, s[i].at.Sub(due))
	}
	if err := rows.Err(); err != nil {
		return latency{}, fmt.Errorf("query times: %w", err)
	}
	if len(all) == 0 {
		return latency{}, fmt.Errorf("no record was measured")
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[min(len(all)-1, int(q*float64(len(all))))] }
	return latency{Records: len(all), P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: all[len(all)-1]}, nil
}
