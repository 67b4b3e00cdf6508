package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/anteroom/anteroom/internal/kafka"
)

const (
	// safeCopies of a topic outlive one broker without losing what was acknowledged or refusing what is new.
	safeCopies    = 3
	safeMinInSync = 2
	// largestBatch is what our producers write at most, which is a broker's default limit.
	largestBatch = 1 << 20
	// kafkaSkew is how far Kafka's clock may be off: brokers drop records by it.
	kafkaSkew = time.Minute
)

// KafkaWants is what a region's Kafka is to be.
type KafkaWants struct {
	Topics []kafka.Topic
	// Embedded: it is the one broker of `anteroom run`, which has no copies.
	Embedded bool
	// Write: a record may be written to a topic of its own, to learn what time it is there.
	Write bool
}

// Kafka looks at a region's Kafka.
func Kafka(region string, cfg kafka.Config, wants KafkaWants) Job {
	return Job{Name: "kafka", Region: region, look: func(ctx context.Context, s *subject) {
		const do = "See that it runs, and check kafka.brokers, kafka.tls and kafka.sasl; the brokers' advertised addresses must be reached from here."
		client, err := kafka.New(cfg)
		if err != nil {
			s.fail("kafka.reachable", do, "%v", err)
			return
		}
		defer client.Close()
		names := make([]string, len(wants.Topics))
		for i, t := range wants.Topics {
			names[i] = t.Name
		}
		seen, err := client.Inspect(ctx, names...)
		if err != nil {
			s.fail("kafka.reachable", do, "%v", err)
			return
		}
		s.ok("kafka.reachable", "it answers, %s", count(seen.Brokers, "broker"))
		for _, t := range wants.Topics {
			judgeTopic(s, t, seen, wants.Embedded)
		}
		if wants.Embedded {
			s.ok("clocks.kafka", "the embedded broker has this machine's clock")
			return
		}
		kafkaClock(ctx, s, client, region, wants.Write)
	}}
}

func kafkaClock(ctx context.Context, s *subject, client *kafka.Client, region string, write bool) {
	if !write {
		s.skip("clocks.kafka", "Run it with --write: a record is written to a topic of its own, which is deleted again.", "brokers tell the time only when they write")
		return
	}
	ahead, uncertain, err := client.Clock(ctx, "anteroom."+region+".doctor-"+strings.ToLower(rand.Text()[:8]))
	if err != nil {
		s.fail("clocks.kafka", "See whether enough replicas are in sync, and whether the user may make, write and delete topics.", "a record could not be written and cleared away: %v", err)
		return
	}
	judgeClock(s, "clocks.kafka", "Kafka's clock", ahead, uncertain, kafkaSkew, "records are dropped by the broker's clock, and keys for chat are made by ours")
}

// judgeTopic holds a topic against what is wanted of it.
func judgeTopic(s *subject, want kafka.Topic, seen kafka.Inspected, embedded bool) {
	t, there := seen.Topics[want.Name]
	if !there {
		s.warn("kafka.topic", "A process with the role ingest makes it when it starts; where topics are made by others, have it made.", "%s is not there", want.Name)
		return
	}
	before := len(s.checks)
	set := func(setting, value string) string {
		return fmt.Sprintf("kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s", want.Name, setting, value)
	}
	judgeSafety(s, want, t, embedded, set)
	if strings.Contains(t.Cleanup, "compact") {
		s.fail("kafka.topic", set("cleanup.policy", "delete"), "%s is compacted: of each call only the newest record would stay", want.Name)
	}
	switch {
	case t.Forever && !embedded:
		s.warn("kafka.topic", set("retention.ms", milliseconds(want.Retention)), "%s keeps records for good: what is deleted elsewhere stays there, sealed or not", want.Name)
	case !t.Forever && want.Retention > 0 && t.Retention < want.Retention:
		s.fail("kafka.topic", set("retention.ms", milliseconds(want.Retention)), "%s keeps records for %v, ingest.retention is %v: a longer outage of ingest loses them", want.Name, t.Retention, want.Retention)
	}
	if want.Segment > 0 && t.Segment > want.Segment {
		s.warn("kafka.topic", set("segment.ms", milliseconds(want.Segment)), "%s closes segments after %v: chat stays on brokers' disks for that much longer than its retention", want.Name, t.Segment)
	}
	if t.RetentionBytes >= 0 {
		s.fail("kafka.topic", set("retention.bytes", "-1"), "%s drops records beyond %d bytes, stored or not", want.Name, t.RetentionBytes)
	}
	if t.MaxMessageBytes > 0 && t.MaxMessageBytes < largestBatch {
		s.fail("kafka.topic", set("max.message.bytes", "1048588"), "%s takes batches of %d bytes at most, and up to %d are written", want.Name, t.MaxMessageBytes, largestBatch)
	}
	if len(s.checks) == before {
		s.ok("kafka.topic", "%s: %s, %s, kept for %v", want.Name, count(t.Partitions, "partition"), copies(t.Replication), t.Retention)
	}
}

// judgeSafety looks whether what is acknowledged outlives a broker.
func judgeSafety(s *subject, want kafka.Topic, t kafka.InspectedTopic, embedded bool, set func(setting, value string) string) {
	name := want.Name
	if t.Leaderless > 0 {
		s.fail("kafka.topic", "Bring back a broker that has them: they can be neither written nor read.", "%s: %d of %d partitions have no leader", name, t.Leaderless, t.Partitions)
	}
	switch {
	case t.Refuses():
		s.fail("kafka.topic", "Bring back the brokers that have the others; until then events wait, and joins, chat and notices are refused.",
			"%s: a partition has %s in sync and needs %d: nothing can be written to it", name, copies(t.InSync), t.MinInSync)
	case t.Behind > 0:
		s.warn("kafka.topic", "See which broker is away or slow.", "%s: %d of %d partitions have copies that aren't in sync", name, t.Behind, t.Partitions)
	}
	if embedded {
		return
	}
	if t.Unclean {
		s.fail("kafka.topic", set("unclean.leader.election.enable", "false"), "%s lets a copy lead that lacks what was acknowledged", name)
	}
	switch {
	case t.Replication < safeCopies || t.Replication < want.Replication:
		s.warn("kafka.topic", fmt.Sprintf("Reassign its partitions to %d brokers (kafka-reassign-partitions.sh), and set ingest.replication to %[1]d for topics that are still to be made.", max(safeCopies, want.Replication)),
			"%s has %s: what was acknowledged is lost with its broker's disk, or can't be written while one is away", name, copies(t.Replication))
	case t.MinInSync < safeMinInSync:
		s.fail("kafka.topic", set("min.insync.replicas", "2"), "%s acknowledges what one broker has (min.insync.replicas %d): it is lost with that broker", name, t.MinInSync)
	}
	if t.MinInSync >= t.Replication && t.Replication > 1 {
		s.warn("kafka.topic", set("min.insync.replicas", fmt.Sprint(t.Replication-1)), "%s can't be written while any one broker is away (min.insync.replicas %d of %d)", name, t.MinInSync, t.Replication)
	}
}

func copies(n int) string {
	if n == 1 {
		return "1 copy"
	}
	return fmt.Sprintf("%d copies", n)
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
