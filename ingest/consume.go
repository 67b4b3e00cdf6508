package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/anteroom/anteroom/internal/kafka"
)

// drainTime is how long a stop may take to store what was fetched. What is not stored by then stays in Kafka.
const drainTime = 4 * time.Second

// sessionTimeout is how long after its death a member of a group is missed; its partitions wait until then.
const sessionTimeout = 10 * time.Second

// feed are topics of one cluster that are read as one group, to be stored or to be copied to another region.
type feed struct {
	name           string
	client         *kafka.Client
	group          string
	topics         []string
	sessionTimeout time.Duration
	// check is what trouble with Kafka is told by.
	check string
	// budget bounds the bytes of records that are held.
	budget *semaphore.Weighted
	// decode makes events of a record that is to be stored; nil where copies is set.
	decode decoder
	// reports says that rows of stream reports are made as they are decoded: these come alone in their records, and belong to the home region.
	reports bool
	copies  *copier
}

// runFeed is a member of the feed's group until the context ends.
func (s *Service) runFeed(ctx context.Context, f *feed) error {
	wait := newBackoff()
	for ctx.Err() == nil {
		group, err := kafkago.NewConsumerGroup(s.groupConfig(f))
		if err != nil {
			return fmt.Errorf("join group %s: %w", f.group, err)
		}
		s.generations(ctx, f, group, wait)
		leave(group)
	}
	return nil
}

// leavePatience is how long it may take to leave a group: a join that is on its way can't be broken off, and waits for the other members.
const leavePatience = 2 * time.Second

// leave leaves a group, whose partitions are drained. Where that takes longer, the broker misses the member after the session's time.
func leave(group *kafkago.ConsumerGroup) {
	left := make(chan struct{})
	go func() {
		defer close(left)
		_ = group.Close() // returns no error
	}()
	select {
	case <-left:
	case <-time.After(leavePatience):
	}
}

func (s *Service) groupConfig(f *feed) kafkago.ConsumerGroupConfig {
	return kafkago.ConsumerGroupConfig{
		ID: f.group, Brokers: f.client.Brokers(), Dialer: f.client.Dialer(), Topics: f.topics,
		HeartbeatInterval: 2 * time.Second, SessionTimeout: f.sessionTimeout, RebalanceTimeout: 30 * time.Second,
		JoinGroupBackoff: time.Second, StartOffset: kafkago.FirstOffset, WatchPartitionChanges: true, PartitionWatchInterval: 30 * time.Second,
		Timeout: f.client.Timeout(),
	}
}

// generations works for one generation of the group after another.
func (s *Service) generations(ctx context.Context, f *feed, group *kafkago.ConsumerGroup, wait *backoff) {
	working := make(chan struct{}) // closed when the generation that was started last has ended
	close(working)
	for {
		generation, err := group.Next(ctx)
		if errors.Is(err, kafkago.ErrGroupClosed) || (ctx.Err() != nil && generation == nil) {
			<-working // partitions drain before the group is left
			return
		}
		if err != nil {
			s.troubled(ctx, f, wait, err)
			continue // kafka-go has waited
		}
		s.health.set(f.check, f.name, "join group", nil)
		wait.reset()
		// All partitions in one function: the generation ends when a function returns, and a partition that has drained must not
		// take the generation from those that have not.
		done := make(chan struct{})
		working = done
		generation.Start(func(ended context.Context) {
			defer close(done)
			s.runGeneration(ctx, ended, f, generation)
		})
	}
}

func (s *Service) troubled(ctx context.Context, f *feed, wait *backoff, err error) {
	s.health.set(f.check, f.name, "join group", err)
	s.metrics.retries.WithLabelValues("join group").Inc()
	s.deps.Log.Log(ctx, wait.level(), "group is not joined, trying again until it works", "feed", f.name, "group", f.group, "error", err)
}

// runGeneration ingests the assigned partitions until the generation ends, or until the service stops and all is drained.
func (s *Service) runGeneration(stop, ended context.Context, f *feed, g *kafkago.Generation) {
	// kafka-go's context has no cause chain that errgroup could hang on to.
	alive, cancel := context.WithCancel(context.WithoutCancel(stop))
	defer cancel()
	defer context.AfterFunc(ended, cancel)()
	defer context.AfterFunc(stop, func() { time.AfterFunc(drainTime, cancel) })()
	var group errgroup.Group
	for topic, assignments := range g.Assignments {
		for _, a := range assignments {
			w := s.newWorker(f, g, topic, int32(a.ID)) //nolint:gosec // partitions are few
			group.Go(func() error {
				if f.copies != nil {
					w.copy(stop, alive)
				} else {
					w.run(stop, alive)
				}
				return nil
			})
		}
	}
	_ = group.Wait() // workers return no errors: they try again, or the generation is over
	if len(g.Assignments) == 0 {
		select { // a member without partitions waits for the next generation
		case <-stop.Done():
		case <-alive.Done():
		}
	}
}

func (s *Service) newWorker(f *feed, g *kafkago.Generation, topic string, partition int32) *worker {
	return &worker{
		Service: s, feed: f, topic: topic, partition: partition, memory: &share{budget: f.budget},
		log: s.deps.Log.With(slog.String("topic", topic), slog.Int("partition", int(partition))),
		committer: committer{
			client: f.client, group: f.group, generation: int(g.ID), member: g.MemberID, topic: topic, partition: int(partition),
		},
	}
}
