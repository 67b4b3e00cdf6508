package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Batch is what ingest stores of one contiguous range of offsets of one topic and partition: rows of the base tables and of what is kept. It is
// reused: Reset keeps the memory. Not safe for concurrent use.
type Batch struct {
	Calls        CallRows
	Participants ParticipantRows
	Streams      StreamRows
	Samples      SampleRows
	Timeline     TimelineRows
	Decisions    DecisionRows
	Kept         KeptRows
	Texts        TextRows

	Heads       []Head
	Retractions []Retraction
	Attendance  []Attendance
	Guests      []ResourceGuest

	// tables in the order in which they are inserted: a text never without the thing that it is the text of.
	tables [8]*Rows
}

// NewBatch makes an empty batch. Call Reset before adding rows.
func NewBatch() *Batch {
	b := new(Batch)
	b.Calls.setUp()
	b.Participants.setUp()
	b.Streams.setUp()
	b.Samples.setUp()
	b.Timeline.setUp()
	b.Decisions.setUp()
	b.Kept.setUp()
	b.Texts.setUp()
	b.tables = [...]*Rows{
		&b.Calls.Rows, &b.Participants.Rows, &b.Streams.Rows, &b.Samples.Rows, &b.Timeline.Rows, &b.Kept.Rows, &b.Decisions.Rows, &b.Texts.Rows,
	}
	return b
}

// Reset forgets all rows and says where the next ones come from.
func (b *Batch) Reset(topic string, partition int32) {
	for _, t := range b.tables {
		t.reset(topic, partition)
	}
	b.Heads, b.Retractions, b.Attendance, b.Guests = nil, nil, nil, nil
}

// Len is the number of rows of all tables.
func (b *Batch) Len() int {
	n := 0
	for _, t := range b.tables {
		n += t.Len()
	}
	return n
}

// Count tells the number of rows by table, without the tables that have none.
func (b *Batch) Count() map[string]int {
	counts := make(map[string]int, len(b.tables))
	for _, t := range b.tables {
		if n := t.Len(); n > 0 {
			counts[t.table] = n
		}
	}
	return counts
}

// Insert stores all rows of a batch: one insert per table that has rows, each under the token, so that the same batch under the
// same token is stored once within the tables' deduplication window. When it fails, or its context ends, it is unknown which
// tables have their rows: insert again under the same token, then look with Missing, since a token alone can lose rows (the
// engine writes its deduplication log before it renames the part, and forgets nothing of it when it dies in between).
//
// Heads, retractions, attendance and guests go first and need no token; nor does the count of calls that changed, which goes last.
func (s *Store) Insert(ctx context.Context, b *Batch, token string) error {
	if err := s.saveFacts(ctx, b); err != nil {
		return err
	}
	for _, t := range b.tables {
		if t.Len() == 0 {
			continue
		}
		if err := s.insertRows(ctx, t, token); err != nil {
			return err
		}
	}
	return s.saveChanges(ctx, b)
}

func (s *Store) insertRows(ctx context.Context, t *Rows, token string) error {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.columnName()
	}
	set := insertSettings(token)
	if t.dictionaries {
		set["low_cardinality_allow_in_native_format"] = 1
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(set))
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO "+t.table+" ("+strings.Join(names, ", ")+")")
	if err != nil {
		return wrap("insert into "+t.table, err)
	}
	feed := s.feeds.take()
	defer s.feeds.put(feed)
	if t.order != nil {
		feed.order = t.order()
	}
	columns := batch.Columns()
	for i, c := range t.columns {
		if err := c.appendTo(columns[i], feed); err != nil {
			_ = batch.Abort()
			return fmt.Errorf("insert into %s, column %s: %w", t.table, c.columnName(), err)
		}
	}
	return wrap("insert into "+t.table, batch.Send())
}

// insertSettings are the settings that effectively-once inserts of large native blocks rest on.
func insertSettings(token string) clickhouse.Settings {
	set := settings()
	set["insert_deduplication_token"] = token
	// The server builds dictionaries faster than the driver does: a string is sent as a string.
	set["low_cardinality_allow_in_native_format"] = 0
	// Old calls can be imported: their months make parts of their own, and a batch must never be refused for that.
	set["max_partitions_per_insert_block"] = 0
	return set
}
