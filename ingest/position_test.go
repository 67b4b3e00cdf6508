package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/store"
)

// TestARestoredRegionCountsEveryRecordOnce backs up while records are ingested, again and again, and after each restore ingests what came since.
func TestARestoredRegionCountsEveryRecordOnce(t *testing.T) {
	r := newRig(t)
	to := backupsOf(t)
	r.cfg.FlushRows = 20 // many batches
	service, stop := r.startService(t)
	sequence, produced := uint64(0), uint64(0)
	for round := range 3 {
		began := time.Now().UTC()
		produce := func(n int) {
			var events []*eventpb.Event
			for range n {
				sequence++
				produced += 2
				events = append(events, r.report(fmt.Sprint("call", sequence%7), fmt.Sprint("media/", sequence%7), sequence, 2))
			}
			r.produce(t, events...)
		}
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			for ctx.Err() == nil {
				produce(50)
				for ctx.Err() == nil && r.count(t, countSamples)+500 < produced { // no more ahead than can be caught up with
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
		r.eventuallyAtLeast(t, uint64(round)*500+200, countSamples)
		positions, err := service.Positions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint("round-", round)
		b := store.Backup{Name: name, StartedAt: began, ExpiresAt: began.Add(time.Hour), Step: store.BackupBegun, Manifest: "{}"}
		if err := r.deps.Store.PutBackup(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := store.BackUp(t.Context(), r.storage, to, name); err != nil {
			t.Fatal(err)
		}
		r.eventuallyAtLeast(t, r.count(t, countSamples)+100, countSamples)
		cancel()
		wg.Wait()
		if err := service.Idle(t.Context()); !errors.Is(err, ingest.ErrIngesting) {
			t.Errorf("while it runs: %v", err)
		}
		if round%2 == 0 {
			r.eventually(t, produced, countSamples)
		}
		stop()
		if err := service.Idle(t.Context()); err != nil {
			t.Errorf("after its end: %v", err)
		}

		from := r.restoreTables(t, to, name, positions, began)
		before := r.count(t, countSamples)
		if before == 0 || before >= produced {
			t.Errorf("round %d: %d of %d samples are in the backup: nothing is tried", round, before, produced)
		}
		service, stop = r.startServiceFrom(t, from)
		r.eventually(t, produced, countSamples)
		r.eventually(t, produced, countKeys)
	}
	stop()
}

// backupsOf is where a test's backups lie.
func backupsOf(t *testing.T) store.Destination {
	t.Helper()
	folder := embeddedtest.ClickHouse(t).Backups
	if folder == "" {
		t.Skip("the ClickHouse from outside says of no folder for backups")
	}
	return store.Destination(fmt.Sprintf("File('%s/{name}')", filepath.Join(folder, uuid.NewString())))
}

// restoreTables replaces the tables by those of a backup and returns from where to go on.
func (r *rig) restoreTables(t *testing.T, from store.Destination, name string, positions []store.Position, began time.Time) []store.Position {
	t.Helper()
	if err := store.BeginRestore(t.Context(), r.storage, true); err != nil {
		t.Fatal(err)
	}
	if err := store.RestoreTables(t.Context(), r.storage, from, name); err != nil {
		t.Fatal(err)
	}
	restored, err := store.Open(r.storage.Restored())
	if err != nil {
		t.Fatal(err)
	}
	next, err := restored.Cut(t.Context(), positions, began)
	if err := errors.Join(err, restored.Close(), store.EndRestore(t.Context(), r.storage)); err != nil {
		t.Fatal(err)
	}
	return next
}

// startServiceFrom starts the service at positions and waits until it has reached the end.
func (r *rig) startServiceFrom(t *testing.T, from []store.Position) (*ingest.Service, func()) {
	t.Helper()
	var ends []store.Position
	service, stop := r.run(t, func(cfg ingest.Config, deps ingest.Deps) (*ingest.Service, error) {
		service, err := ingest.New(cfg, deps)
		if err != nil {
			return nil, err
		}
		var gaps []ingest.Gap
		if ends, gaps, err = service.Rewind(t.Context(), from); err == nil && len(gaps) > 0 {
			err = fmt.Errorf("gaps: %v", gaps)
		}
		return service, err
	})
	for range 400 {
		if reached, err := service.Reached(t.Context(), ends); err != nil {
			t.Fatal(err)
		} else if reached {
			return service, stop
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the end was not reached")
	return nil, nil
}

func (r *rig) eventuallyAtLeast(t *testing.T, want uint64, query string) {
	t.Helper()
	for range 400 {
		if r.count(t, query) >= want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: %d were not reached", query, want)
}

// TestRewindTellsOfGaps: of a topic that has lost its first records, and of one that was made anew.
func TestRewindTellsOfGaps(t *testing.T) {
	r := newRig(t)
	service, err := ingest.New(r.cfg, r.deps)
	if err != nil {
		t.Fatal(err)
	}
	var events []*eventpb.Event
	for i := range 40 {
		events = append(events, r.report("call", "media/one/1", uint64(i+1), 1))
	}
	r.produce(t, events...)
	positions, err := service.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lossy := event.Topic(r.cfg.Region, event.Lossy)
	for i := range positions {
		if positions[i].Topic == lossy {
			positions[i].Offset = -5 // as if the broker had begun later
		}
	}
	ends, gaps, err := service.Rewind(t.Context(), positions)
	if err != nil {
		t.Fatal(err)
	}
	total, lost := int64(0), int64(0)
	for _, p := range ends {
		total += p.Offset
	}
	for _, g := range gaps {
		if g.Topic != lossy {
			t.Errorf("gap %+v", g)
		}
		lost += g.Records
	}
	if total != 40 || lost != 5*int64(r.cfg.Partitions) {
		t.Errorf("%d records, %d lost", total, lost)
	}
	// Higher than what there is: a topic of the same name that was made anew.
	for i := range positions {
		positions[i].Offset = 1000
	}
	if _, gaps, err := service.Rewind(t.Context(), positions); err != nil || len(gaps) > 0 {
		t.Errorf("%v, %v", gaps, err)
	}
	resp, err := r.deps.Kafka.API().OffsetFetch(t.Context(), &kafkago.OffsetFetchRequest{GroupID: r.cfg.Group, Topics: map[string][]int{lossy: {0, 1, 2, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range resp.Topics[lossy] {
		if p.CommittedOffset != 0 {
			t.Errorf("partition %d: %d is committed", p.Partition, p.CommittedOffset)
		}
	}
}
