package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// Keeping tells how long brokers keep what came by them to a region: sealed text, whose key is destroyed long before, and the events of meetings. It goes
// by what the brokers themselves say. All methods are safe for concurrent use.
type Keeping struct {
	region string
	// chat is the way of chat to the region, topic by topic; events are on one topic at home. A further region has none.
	chat   []kept
	events *kept
	wanted time.Duration
	log    *slog.Logger
	gauge  *prometheus.GaugeVec

	mu       sync.Mutex
	settings map[string]kafka.TopicSettings // guarded by mu; by topic, as far as they are known
}

// kept is a topic of a broker.
type kept struct {
	client *kafka.Client
	topic  string
}

// onTheWay is how long after an act its record may be written by media, at most.
const onTheWay = 5 * time.Minute

// NewKeeping is of the home region, and with a further region's name and client of that.
func NewKeeping(cfg Config, home *kafka.Client, region string, further *kafka.Client, log *slog.Logger, metrics prometheus.Registerer) *Keeping {
	k := &Keeping{region: region, wanted: cfg.Retention, log: log, settings: map[string]kafka.TopicSettings{}}
	k.chat = []kept{{home, event.Topic(cfg.Region, event.Content)}}
	if further != nil {
		k.chat = append(k.chat, kept{further, event.CopiesTopic(region)})
	} else {
		k.events = &kept{home, event.Topic(cfg.Region, event.Durable)}
	}
	k.gauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "anteroom", Subsystem: "kafka", Name: "topic_retention_seconds", Help: "How long a broker keeps the records of a topic, as it says itself; -1: for good.",
	}, []string{"topic"})
	metrics.MustRegister(k.gauge)
	return k
}

// Run looks every few minutes until the context ends, which is no error, and logs what it sees first and whatever has changed.
func (k *Keeping) Run(ctx context.Context) error {
	const every, soon = 10 * time.Minute, 15 * time.Second
	for {
		pause := every
		if err := k.Look(ctx); err != nil {
			pause = soon
			k.log.DebugContext(ctx, "how long topics are kept is not known", "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// Look asks the brokers once.
func (k *Keeping) Look(ctx context.Context) error {
	topics := k.chat
	if k.events != nil {
		topics = append(topics[:len(topics):len(topics)], *k.events)
	}
	var first error
	for _, t := range topics {
		got, err := t.client.TopicSettings(ctx, t.topic)
		if err != nil {
			if first == nil {
				first = fmt.Errorf("look how long topics are kept: %w", err)
			}
			continue
		}
		k.note(ctx, t.topic, got[t.topic])
	}
	return first
}

// note remembers and reports the settings of a topic.
func (k *Keeping) note(ctx context.Context, topic string, is kafka.TopicSettings) {
	seconds := is.Retention.Seconds()
	if is.Forever {
		seconds = -1
	}
	k.gauge.WithLabelValues(topic).Set(seconds)
	k.mu.Lock()
	before, known := k.settings[topic]
	k.settings[topic] = is
	k.mu.Unlock()
	if known && before == is {
		return
	}
	about := []slog.Attr{
		slog.String("topic", topic), slog.Duration("retention", is.Retention), slog.Bool("forever", is.Forever), slog.Duration("segment", is.Segment),
	}
	if k.wanted > 0 && (is.Forever || is.Retention != k.wanted) {
		k.log.LogAttrs(ctx, slog.LevelWarn, "the broker keeps a topic otherwise than configured", append(about, slog.Duration("configured", k.wanted))...)
		return
	}
	k.log.LogAttrs(ctx, slog.LevelInfo, "how long the broker keeps a topic", about...)
}

// Settings are those of the region's topics, as far as they are known.
func (k *Keeping) Settings() map[string]kafka.TopicSettings {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.settings)
}

// Expires is when brokers will have dropped, at the latest, what they keep of a thing that was sent at a moment and is purged by another; nil if that is not
// known, if they keep it for good, or if it came by no broker. A copy may have been written as late as the home region's broker still had what it is of.
func (k *Keeping) Expires(class store.Class, sent, purged time.Time) *time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	way, at := k.chat, sent.Add(onTheWay)
	switch class {
	case store.ClassThread, store.ClassCopy:
	case store.ClassNotice, store.ClassDecision: // of all of a call, which goes on after its beginning
		if k.events == nil {
			return nil
		}
		way, at = []kept{*k.events}, purged
	default:
		return nil
	}
	for _, t := range way {
		is, known := k.settings[t.topic]
		if !known {
			return nil
		}
		var ok bool
		if at, ok = is.Expires(at); !ok {
			return nil
		}
	}
	return &at
}
