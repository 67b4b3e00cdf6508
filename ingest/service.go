package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// Deps are what the service works with. It closes none of them.
type Deps struct {
	Kafka *kafka.Client
	Store *store.Store
	// Keys make pseudonyms of foreign participants. Not needed for a further region: it has none.
	Keys *label.Keyring
	// Regions are the Kafka clients of further regions, by name, which get copies of the home region's chat.
	Regions map[string]*kafka.Client
	// Chat opens what is sealed for the region. Without it ingest waits at the first such record.
	Chat Opener
	// GuestsKept is how long the region's resource log keeps who was a guest of a resource. Default 30 days.
	GuestsKept time.Duration
	Metrics    prometheus.Registerer
	Log        *slog.Logger
	// Tracer makes a span of each batch that has records of a trace. Default: none.
	Tracer trace.Tracer
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
	// inserts bounds how many large batches are inserted at a time: each is copied for it, and ClickHouse is no faster with more.
	inserts *semaphore.Weighted
	// content are the sequences of sources that name content, over all partitions.
	content *contentMarks
	spares  spares
	// further: the region holds copies of chat and nothing else.
	further bool
}

// New makes the service of the home region. It checks the configuration and starts nothing.
func New(cfg Config, deps Deps) (*Service, error) {
	s, err := newService(cfg, deps)
	if err != nil {
		return nil, err
	}
	s.feeds = append(s.feeds, &feed{
		name:   "anteroom",
		client: deps.Kafka,
		group:  cfg.Group,
		topics: []string{event.Topic(cfg.Region, event.Lossy), event.Topic(cfg.Region, event.Durable), event.Topic(cfg.Region, event.Content)},
		decode: ownDecoder(cfg.Region), reports: true, sessionTimeout: sessionTimeout, check: checkKafka, budget: s.budget,
	})
	for _, region := range slices.Sorted(maps.Keys(deps.Regions)) {
		s.feeds = append(s.feeds, s.copierFeed(region, deps.Regions[region]))
		s.health.watch(checkCopies(region), true)
	}
	for _, source := range cfg.Sources {
		f, err := s.sourceFeed(source)
		if err != nil {
			return nil, fmt.Errorf("ingest: source %s: %w", source.Name, err)
		}
		s.feeds = append(s.feeds, f)
	}
	s.expectGroups()
	return s, nil
}

// NewFurther makes the service of a further region: it ingests the copies of chat that are for guests of the region's resources. Of cfg it heeds what
// says how; its region and sources are the home region's. Kafka, Store and Chat are the further region's.
func NewFurther(cfg Config, region string, deps Deps) (*Service, error) {
	cfg.Region, cfg.Sources = region, nil
	s, err := newService(cfg, deps)
	if err != nil {
		return nil, err
	}
	s.further = true
	s.feeds = []*feed{{
		name: "copies", client: deps.Kafka, group: cfg.copiesGroup(region), topics: []string{event.CopiesTopic(region)},
		decode: copiesDecoder(region), sessionTimeout: sessionTimeout, check: checkKafka, budget: s.budget,
	}}
	s.expectGroups()
	return s, nil
}

// copiesGroup is the consumer group of a further region's copies. Regions may share a broker, and the members of a group must read the same topics.
func (c Config) copiesGroup(region string) string { return c.Group + "-copies-" + region }

func newService(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	if deps.Chat == nil {
		deps.Chat = noKeys{}
	}
	if deps.GuestsKept == 0 {
		const usual = 30 * 24 * time.Hour
		deps.GuestsKept = usual
	}
	s := &Service{
		cfg:     cfg,
		deps:    deps,
		health:  newHealth(),
		letters: deps.Kafka.NewProducer(),
		budget:  semaphore.NewWeighted(int64(cfg.MemoryBytes)),
		replays: semaphore.NewWeighted(1),
		inserts: semaphore.NewWeighted(insertsAtOnce),
		content: newContentMarks(),
	}
	s.metrics = newMetrics(deps.Metrics)
	return s, nil
}

// expectGroups has the checks miss the feeds that have not joined their groups yet.
func (s *Service) expectGroups() {
	for _, f := range s.feeds {
		s.health.set(f.check, f.name, "join group", errNotJoined)
	}
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
		check:          checkKafka, budget: s.budget,
	}, nil
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
	errs := []error{err, s.letters.Close()}
	for _, f := range s.feeds {
		if f.copies != nil {
			errs = append(errs, f.copies.producer.Close())
		}
	}
	return errors.Join(errs...)
}

// Checks tells what ingest is waiting for.
func (s *Service) Checks() []Check { return s.health.checks() }
