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
	rows, err := s.conn.Query(ctx, `SELECT source,
			max(if(topic = $1 AND partition = $2 AND last = $3, previous, reached)) AS mark
		FROM (
			SELECT source, topic, partition, argMax(last_offset, sequence) AS last,
				max(sequence) AS reached, argMax(previous_sequence, sequence) AS previous
			FROM source_marks
			WHERE source IN ($4) AND ($5 OR (topic = $1 AND partition = $2))
			GROUP BY source, topic, partition
		)
		GROUP BY source HAVING mark > 0`,
		topic, partition, replayed, sources, anywhere)
	if err != nil {
		return nil, wrap("read source marks", err)
	}
	defer rows.Close()
	for rows.Next() {
		var source string
		var mark uint64
		if err := rows.Scan(&source, &mark); err != nil {
			return nil, wrap("read source marks", err)
		}
		marks[source] = mark
	}
	return marks, wrap("read source marks", rows.Err())
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
	if len(f.Marks) == 0 {
		return nil
	}
	ctx = withoutDeduplication(ctx)
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO source_marks (source, topic, partition, sequence, last_offset, previous_sequence)")
	if err != nil {
		return wrap("save source marks", err)
	}
	for _, m := range f.Marks {
		if err := batch.Append(m.Source, f.Topic, f.Partition, m.Sequence, f.Last, m.Previous); err != nil {
			return fmt.Errorf("save source marks: %w", err)
		}
	}
	return wrap("save source marks", batch.Send())
}

func (s *Store) saveHours(ctx context.Context, f Finish) error {
	if len(f.Hours) == 0 {
		return nil
	}
	ctx = withoutDeduplication(ctx)
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO ingest_batches (topic, partition, first_offset, last_offset, hour, samples)")
	if err != nil {
		return wrap("save ingest batch", err)
	}
	for hour, n := range f.Hours {
		if err := batch.Append(f.Topic, f.Partition, f.First, f.Last, hour, n); err != nil {
			return fmt.Errorf("save ingest batch: %w", err)
		}
	}
	return wrap("save ingest batch", batch.Send())
}

func (s *Store) saveDeadLetters(ctx context.Context, f Finish) error {
	if len(f.DeadLetters) == 0 {
		return nil
	}
	ctx = withoutDeduplication(ctx)
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO dead_letters (region, topic, partition, offset, record, reason, size, observed_at)")
	if err != nil {
		return wrap("save dead letters", err)
	}
	for _, d := range f.DeadLetters {
		if err := batch.Append(d.Region, f.Topic, f.Partition, d.Offset, d.Record, d.Reason, d.Size, d.ObservedAt); err != nil {
			return fmt.Errorf("save dead letters: %w", err)
		}
	}
	return wrap("save dead letters", batch.Send())
}

// withoutDeduplication is for tables whose engine replaces equal rows: there a repeated insert does no harm, while one that is taken for
// a repetition of what a crash lost would.
func withoutDeduplication(ctx context.Context) context.Context {
	set := settings()
	set["insert_deduplicate"] = 0
	return clickhouse.Context(ctx, clickhouse.WithSettings(set))
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
