package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Mark is how far a source has been ingested from one topic and partition.
type Mark struct {
	Source string
	// Sequence is the highest sequence stored; Previous is the mark before the batch that stored it.
	Sequence, Previous uint64
}

// NoReplay is for Marks where nothing is replayed.
const NoReplay = -1

// Marks reads the marks of sources. With replayed, the last offset of a batch of the topic and partition that is being replayed, they are as
// they were before that batch: what the batch itself wrote in an earlier attempt does not count, so that its replay decides exactly as the
// first time. Sources without a mark are not in the map.
//
// With anywhere, marks of all topics and partitions count: for sources that name content, of which a second copy may arrive by
// any way.
func (s *Store) Marks(ctx context.Context, topic string, partition int32, replayed int64, sources []string, anywhere bool) (map[string]uint64, error) {
	marks := make(map[string]uint64, len(sources))
	if len(sources) == 0 {
		return marks, nil
	}
	err := s.scan(ctx, "read source marks", `SELECT source,
			max(if(topic = $1 AND partition = $2 AND last = $3, previous, reached)) AS mark
		FROM (
			SELECT source, topic, partition, argMax(last_offset, sequence) AS last,
				max(sequence) AS reached, argMax(previous_sequence, sequence) AS previous
			FROM source_marks
			WHERE source IN ($4) AND ($5 OR (topic = $1 AND partition = $2))
			GROUP BY source, topic, partition
		)
		GROUP BY source HAVING mark > 0`,
		func(rows driver.Rows) error {
			var source string
			var mark uint64
			err := rows.Scan(&source, &mark)
			marks[source] = mark
			return err
		}, topic, partition, replayed, sources, anywhere)
	if err != nil {
		return nil, err
	}
	return marks, nil
}

// Finish is what a stored batch leaves behind beside its rows.
type Finish struct {
	Topic       string
	Partition   int32
	First, Last int64
	Marks       []Mark
	// Hours counts the stored samples by hour (UTC).
	Hours       map[time.Time]uint64
	DeadLetters []DeadLetter
}

// SaveFinish stores the marks, the hours and the dead letters of a batch whose rows are stored. Doing it again changes nothing.
func (s *Store) SaveFinish(ctx context.Context, f Finish) error {
	if err := s.saveHours(ctx, f); err != nil {
		return err
	}
	if err := s.saveDeadLetters(ctx, f); err != nil {
		return err
	}
	return s.saveMarks(ctx, f)
}

func (s *Store) saveMarks(ctx context.Context, f Finish) error {
	var rows [][]any
	for _, m := range f.Marks {
		rows = append(rows, []any{m.Source, f.Topic, f.Partition, m.Sequence, f.Last, m.Previous})
	}
	return s.replaceRows(ctx, "source_marks", "source, topic, partition, sequence, last_offset, previous_sequence", rows)
}

func (s *Store) saveHours(ctx context.Context, f Finish) error {
	var rows [][]any
	for hour, n := range f.Hours {
		rows = append(rows, []any{f.Topic, f.Partition, f.First, f.Last, hour, n})
	}
	return s.replaceRows(ctx, "ingest_batches", "topic, partition, first_offset, last_offset, hour, samples", rows)
}

func (s *Store) saveDeadLetters(ctx context.Context, f Finish) error {
	var rows [][]any
	for _, d := range f.DeadLetters {
		rows = append(rows, []any{d.Region, f.Topic, f.Partition, d.Offset, d.Record, d.Reason, d.Size, d.ObservedAt})
	}
	return s.replaceRows(ctx, "dead_letters", "region, topic, partition, offset, record, reason, size, observed_at", rows)
}

// replaceRows inserts rows into a table whose engine replaces equal ones. It asks for no deduplication: there a repeated insert does no harm,
// while one that is taken for a repetition of what a crash lost would.
func (s *Store) replaceRows(ctx context.Context, table, columns string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	batch, err := s.conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithSettings(repeated(settings()))), "INSERT INTO "+table+" ("+columns+")")
	if err != nil {
		return wrap("save "+table, err)
	}
	for _, row := range rows {
		if err := batch.Append(row...); err != nil {
			return fmt.Errorf("save %s: %w", table, err)
		}
	}
	return wrap("save "+table, batch.Send())
}

// SourceTopic is a source in a topic.
type SourceTopic struct{ Source, Topic string }

// Reached reads how far sources are stored, by the topic that their events came from. What is not stored is not in the map.
func (s *Store) Reached(ctx context.Context, sources []string) (map[SourceTopic]uint64, error) {
	const atOnce = 10_000 // bounds the query's size
	reached := make(map[SourceTopic]uint64, len(sources))
	for chunk := range slices.Chunk(sources, atOnce) {
		err := s.scan(ctx, "read source marks", `SELECT source, topic, max(sequence) FROM source_marks WHERE source IN ($1) GROUP BY source, topic`,
			func(rows driver.Rows) error {
				var at SourceTopic
				var sequence uint64
				err := rows.Scan(&at.Source, &at.Topic, &sequence)
				reached[at] = sequence
				return err
			}, chunk)
		if err != nil {
			return nil, err
		}
	}
	return reached, nil
}
