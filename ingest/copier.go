package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/kafka"
)

// The copier is a feed of its own for each further region: it reads the home region's chat topic, makes of each act with something for the region's
// guests a record of that region's topic of copies, and commits what the region's broker has acknowledged. A region that is away holds up its own
// feed and no other.
//
// Copies arrive at least once, and are told apart at the destination by the mark of their source. That takes sequences that rise per source and
// partition, there as here. But partitions of the two topics need not match, so that acts of one media node may come by several partitions here and
// meet in one there, in any order. So a copy's source names the partition it came by: each partition here is written in order by whoever is assigned
// it, and a member that lost it has written nothing that the next one will not find acknowledged or write again.

// copierBudget bounds the bytes of records that the copier of one region holds: little, since it only passes them on.
const copierBudget = 4 * maxRecordWeight

// copier writes the copies of one region.
type copier struct {
	region   string
	client   *kafka.Client
	producer *kafka.Producer
	// ensured: the region's topic is known to be there. Guarded by mu, which whoever looks holds, so that one looks for all.
	mu      sync.Mutex
	ensured bool
}

// copierFeed is the feed of a further region's copier.
func (s *Service) copierFeed(region string, client *kafka.Client) *feed {
	return &feed{
		name: checkCopies(region), client: s.deps.Kafka, group: s.cfg.copierGroup(region), topics: []string{event.Topic(s.cfg.Region, event.Content)},
		sessionTimeout: sessionTimeout, check: checkCopies(region), budget: semaphore.NewWeighted(copierBudget),
		copies: &copier{region: region, client: client, producer: client.NewProducer()},
	}
}

// copierGroup is the consumer group of the copier to a further region: each has its own, so that they wait for nothing but their own region.
func (c Config) copierGroup(region string) string { return c.Group + "-copier-" + region }

// copy passes on what one partition has for a region, until stop ends, or alive, when the partition is no longer ours. What was fetched and not passed
// on by then stays in Kafka: a region that is away holds up no stop.
func (w *worker) copy(stop, alive context.Context) {
	defer w.memory.releaseAll()
	defer w.health.forget(w.name())
	ending, cancel := context.WithCancel(alive)
	defer cancel()
	defer context.AfterFunc(stop, cancel)()
	next, err := w.resume(ending, ending)
	if err != nil {
		return
	}
	if err := w.retry(ending, w.feed.check, "create topic", func() error { return w.feed.copies.ensureTopic(ending, w.cfg) }); err != nil {
		return
	}
	group, ctx := errgroup.WithContext(ending)
	chunks := make(chan chunk, 1)
	group.Go(func() error {
		defer close(chunks)
		f := &fetcher{worker: w}
		f.run(ctx, next, chunks)
		return nil
	})
	group.Go(func() error {
		for c := range chunks {
			if err := w.passOn(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil && !errors.Is(err, errFenced) && !errors.Is(err, context.Canceled) {
		w.log.ErrorContext(alive, "partition stopped", "error", err)
	}
}

// passOn writes the copies of a chunk and commits it.
func (w *worker) passOn(ctx context.Context, c chunk) error {
	var records []event.Record
	weight := int64(0)
	for _, m := range c.records {
		weight += recordWeight(m, 1)
		record, ok, err := w.feed.copies.record(m.Value, w.cfg.Region, w.partition)
		if err != nil {
			w.log.ErrorContext(ctx, "a chat act can't be copied", "offset", m.Offset, "error", err)
		}
		if ok {
			records = append(records, record)
		}
	}
	if len(records) > 0 {
		err := w.retry(ctx, w.feed.check, "write copies", func() error {
			_, err := w.feed.copies.producer.Write(ctx, records...)
			return err
		})
		if err != nil {
			return err
		}
		w.metrics.copied.WithLabelValues(w.feed.copies.region).Add(float64(len(records)))
	}
	last := c.records[len(c.records)-1].Offset
	w.metrics.copyLag.WithLabelValues(w.feed.copies.region, fmt.Sprint(w.partition)).Set(float64(c.highWater - last - 1))
	if err := w.commit(ctx, last+1, nil); err != nil {
		return err
	}
	w.memory.release(weight)
	return nil
}

// ensureTopic creates the region's topics if its own ingest hasn't yet.
func (c *copier) ensureTopic(ctx context.Context, cfg Config) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ensured {
		return nil
	}
	err := EnsureCopiesTopics(ctx, c.client, cfg, c.region)
	c.ensured = err == nil
	return err
}

// record makes the copy of a record of the home region's chat topic; none of what has nothing for the region, nor of what the home region's ingest
// makes a dead letter of.
func (c *copier) record(value []byte, home string, partition int32) (event.Record, bool, error) {
	events, _ := ownDecoder(home)(value)
	if len(events) == 0 || !hasCopy(events[0], c.region) {
		return event.Record{}, false, nil
	}
	events[0].Source = copySource(events[0].GetSource(), partition)
	record, err := event.EncodeCopy(events[0], c.region)
	return record, err == nil, err
}

func hasCopy(e *eventpb.Event, region string) bool {
	if guest := e.GetResourceGuest(); guest != nil {
		return guest.GetResourceRegion() == region
	}
	for _, c := range e.GetChat().GetCopies() {
		if c.GetRegion() == region {
			return true
		}
	}
	return false
}

// copySource names the source of copies of what a source wrote to a partition.
func copySource(source string, partition int32) string {
	named := fmt.Sprintf("copy/%d/%s", partition, source)
	if len(named) <= event.MaxSourceLen {
		return named
	}
	return fmt.Sprintf("copy/%d/sha256:%x", partition, sha256.Sum256([]byte(source)))
}
