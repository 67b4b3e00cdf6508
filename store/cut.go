package store

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Position is how far the records of a partition are stored: Offset is the first that isn't.
type Position struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// Feed names the reader of the topic. The tables know nothing of it.
	Feed string `json:"feed,omitempty"`
}

// Compare orders positions by feed, topic and partition.
func (p Position) Compare(q Position) int {
	return cmp.Or(strings.Compare(p.Feed, q.Feed), strings.Compare(p.Topic, q.Topic), cmp.Compare(p.Partition, q.Partition))
}

// topicName is what Kafka lets a topic be called: it stands in statements, where nothing can be bound.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// Cut makes the tables of a restored backup end where whole batches end, so that ingest can go on from there and every record counts once. at are the
// positions that were committed before the backup began; it returns those to go on from.
//
// A backup copies tables one after the other while batches are stored. Marks are written last of a batch and were copied first, so of what they know all
// rows are there, and where they end is a place from which everything can be ingested again. Rows of later batches may be there in part, and go.
func (s *Store) Cut(ctx context.Context, at []Position, backupBegan time.Time) ([]Position, error) {
	type place struct {
		topic     string
		partition int32
	}
	known := map[place]int64{}
	err := s.scan(ctx, "read how far is stored", "SELECT topic, partition, max(last_offset) + 1 FROM source_marks GROUP BY topic, partition", func(rows driver.Rows) error {
		var p place
		var next int64
		err := rows.Scan(&p.topic, &p.partition, &next)
		known[p] = next
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]Position, 0, len(at))
	for _, p := range at {
		if !topicName.MatchString(p.Topic) {
			return nil, fmt.Errorf("cut tables: %q is no topic", p.Topic)
		}
		p.Offset = max(p.Offset, known[place{p.Topic, p.Partition}])
		out = append(out, p)
	}
	return out, s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error { return s.cutShard(ctx, conn, out, backupBegan) })
}

// cutShard removes what is at the positions or after them from the tables of one shard.
func (s *Store) cutShard(ctx context.Context, conn driver.Conn, at []Position, backupBegan time.Time) error {
	from := func(topic, partition, offset string) string {
		conditions := []string{"0"}
		for _, p := range at {
			conditions = append(conditions, fmt.Sprintf("(%s = '%s' AND %s = %d AND %s >= %d)", topic, p.Topic, partition, p.Partition, offset, p.Offset))
		}
		return strings.Join(conditions, " OR ")
	}
	special := map[string]string{
		"ingest_batches": from("topic", "partition", "first_offset"),
		"dead_letters":   from("topic", "partition", "offset"),
		// Roll-ups that were built since are built again: they may count what goes.
		"rollup_hours": fmt.Sprintf("rebuilt_at >= fromUnixTimestamp64Micro(%d, 'UTC')", micros(backupBegan.Add(-time.Minute))),
		// So are summaries: they may tell of rows that go.
		"call_builds": fmt.Sprintf("version >= %d", micros(backupBegan.Add(-time.Minute))),
		"watermarks":  "1",
	}
	rows, err := conn.Query(ctx, `
		SELECT name, name IN (SELECT table FROM system.columns WHERE database = currentDatabase() AND name = '_offset')
		FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name`)
	if err != nil {
		return wrap("cut tables", err)
	}
	defer rows.Close()
	conditions := map[string]string{}
	for rows.Next() {
		var table string
		var hasOffset bool
		if err := rows.Scan(&table, &hasOffset); err != nil {
			return wrap("cut tables", err)
		}
		condition := special[strings.TrimSuffix(table, "_local")]
		if hasOffset {
			condition = from("_topic", "_partition", "_offset")
		}
		if condition != "" {
			conditions[table] = condition
		}
	}
	if err := rows.Err(); err != nil {
		return wrap("cut tables", err)
	}
	for table, condition := range conditions {
		if err := conn.Exec(ctx, "ALTER TABLE "+table+" DELETE WHERE "+condition+" SETTINGS mutations_sync = 2"); err != nil {
			return wrap("cut "+table, err)
		}
	}
	return nil
}
