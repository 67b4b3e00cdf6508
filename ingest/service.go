package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// Deps are what the service works with. It closes none of them.
type Deps struct {
	Kafka   *kafka.Client
	Store   *store.Store
	Keys    *label.Keyring
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Service ingests one region's topics and the configured topics of other systems.
type Service struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	health  *health
	feeds   []*feed
	clients []*kafka.Client
	letters *kafka.Producer
	budget  *semaphore.Weighted
	// replays lets one partition at a time replay.
	replays *semaphore.Weighted
	// content are the sequences of sources that name content, over all partitions.
	content *contentMarks
	spares  spares
}

// New checks the configuration and starts nothing.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	s := &Service{
		cfg:     cfg,
		deps:    deps,
		health:  newHealth(),
		letters: deps.Kafka.NewProducer(),
		budget:  semaphore.NewWeighted(int64(cfg.MemoryBytes)),
		replays: semaphore.NewWeighted(1),
		content: newContentMarks(),
	}
	s.metrics = newMetrics(deps.Metrics)
	s.feeds = append(s.feeds, &feed{
		name:   "anteroom",
		client: deps.Kafka,
		group:  cfg.Group,
		topics: []string{event.Topic(cfg.Region, event.Lossy), event.Topic(cfg.Region, event.Durable), event.Topic(cfg.Region, event.Content)},
		decode: ownDecoder(cfg.Region),
		// A node that died is missed after this long; its partitions wait until then.
		sessionTimeout: 10 * time.Second,
	})
	for _, source := range cfg.Sources {
		f, err := s.sourceFeed(source)
		if err != nil {
			return nil, fmt.Errorf("ingest: source %s: %w", source.Name, err)
		}
		s.feeds = append(s.feeds, f)
	}
	for _, f := range s.feeds {
		s.health.set(checkKafka, f.name, "join group", errNotJoined)
	}
	return s, nil
}

// errNotJoined is what a feed waits for at first.
var errNotJoined = errors.New("the group has not been joined yet")

func (s *Service) sourceFeed(source SourceConfig) (*feed, error) {
	client := s.deps.Kafka
	if len(source.Kafka.Brokers) > 0 {
		var err error
		if client, err = kafka.New(source.Kafka); err != nil {
			return nil, err
		}
		s.clients = append(s.clients, client)
	}
	pseudonyms, err := s.deps.Keys.For(source.Org)
	if err != nil {
		return nil, err
	}
	group := source.Group
	if group == "" {
		group = s.cfg.Group
	}
	return &feed{
		name:   source.Name,
		client: client,
		// One group per source: kafka-go gives each topic of a group to each member's assignment, and a group's members must all
		// read the same topics.
		group:          group + "-" + source.Name,
		topics:         source.Topics,
		decode:         acsDecoder(source.Org, s.cfg.Region, pseudonyms),
		sessionTimeout: 30 * time.Second, // the least that Event Hubs takes
	}, nil
}

// EnsureTopics creates the region's topics that are missing.
func EnsureTopics(ctx context.Context, client *kafka.Client, cfg Config) error {
	topic := func(name string) kafka.Topic {
		return kafka.Topic{Name: name, Partitions: cfg.Partitions, Replication: cfg.Replication, Retention: cfg.Retention}
	}
	letters := topic(event.DeadLetterTopic(cfg.Region))
	letters.Partitions = 1
	return client.EnsureTopics(ctx, topic(event.Topic(cfg.Region, event.Lossy)), topic(event.Topic(cfg.Region, event.Durable)), topic(event.Topic(cfg.Region, event.Content)), letters)
}

// Run ingests until the context ends; then it stores and commits what was fetched, and returns. Trouble with Kafka or ClickHouse
// is retried for as long as it lasts and told by Checks.
func (s *Service) Run(ctx context.Context) error {
	group, runCtx := errgroup.WithContext(ctx)
	for _, f := range s.feeds {
		group.Go(func() error { return s.runFeed(runCtx, f) })
	}
	err := group.Wait()
	for _, c := range s.clients {
		c.Close()
	}
	return errors.Join(err, s.letters.Close())
}

// Checks tells what ingest is waiting for.
func (s *Service) Checks() []Check { return s.health.checks() }
