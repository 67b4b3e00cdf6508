package store

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
)

// Origin is where a row came from: the record, and which of the record's rows of this table it is. It is unique per row and
// table, so that rows that a replay should have stored can be looked for.
type Origin struct {
	Offset int64
	Index  uint32
}

// Rows are the columns of one table's rows of one batch. All rows of a batch come from one topic and partition.
type Rows struct {
	table     string
	topic     string
	partition int32

	columns []column
	topics  words
	parts   fixed
	offsets fixed
	indexes fixed
	// times is the column that the table is partitioned by.
	times column
	// order tells in which order rows are inserted, nil for as they were added; for tables whose batches are large enough for it to matter.
	order func() []uint32
	// dictionaries says that all columns of words can be inserted with dictionaries.
	dictionaries bool
}

// Len is the number of rows.
func (r *Rows) Len() int { return r.offsets.len() }

func (r *Rows) init(table string, times column, columns ...column) {
	r.table, r.times = table, times
	r.topics.name = "_topic"
	r.parts, r.offsets, r.indexes = newFixed("_partition", int32s), newFixed("_offset", int64s), newFixed("_index", uint32s)
	r.columns = append(slices.Clip(columns), &r.topics, &r.parts, &r.offsets, &r.indexes)
}

func (r *Rows) begin(o Origin) {
	r.topics.add(r.topic)
	r.parts.put32(uint32(r.partition)) //nolint:gosec // bits are bits
	r.offsets.put64(uint64(o.Offset))  //nolint:gosec // bits are bits
	r.indexes.put32(o.Index)
}

// origin is where a row came from.
func (r *Rows) origin(row int) Origin {
	return Origin{Offset: r.offsets.at64(row), Index: uint32(r.indexes.at32(row))} //nolint:gosec // bits are bits
}

// time is a row's in the column that the table is partitioned by.
func (r *Rows) time(row int) time.Time {
	switch c := r.times.(type) {
	case *fixed:
		return time.UnixMicro(c.at64(row)).UTC()
	case *vec[time.Time]:
		return c.values[row]
	}
	return time.Time{}
}

// Grow makes room for n more rows at once. Rows can be added without it, at the cost of copying what is there again and again.
func (r *Rows) Grow(n int) {
	for _, c := range r.columns {
		c.grow(n)
	}
}

func (r *Rows) reset(topic string, partition int32) {
	r.topic, r.partition = topic, partition
	for _, c := range r.columns {
		c.reset()
	}
}

// Envelope is what every row says of its event.
type Envelope struct {
	Org        string
	Region     string
	CallID     string
	SourceKind int8
	Revision   uint32
	ObservedAt time.Time
}

// envelope are the leading columns of every base table.
type envelope struct {
	org        words
	region     words
	callID     words
	sourceKind fixed
	observedAt fixed
}

func (e *envelope) init() []column {
	e.org.name, e.region.name, e.callID.name = "org", "region", "call_id"
	e.sourceKind, e.observedAt = newFixed("source_kind", enum8), newFixed("observed_at", micros64)
	return []column{&e.org, &e.region, &e.callID, &e.sourceKind, &e.observedAt}
}

func (e *envelope) add(v Envelope) {
	e.org.add(v.Org)
	e.region.add(v.Region)
	e.callID.add(v.CallID)
	e.sourceKind.put8(enum(v.SourceKind, int8(eventpb.SourceKind_SOURCE_KIND_ACS)))
	e.observedAt.putTime(v.ObservedAt)
}

// noID is how a missing participant or operation is stored.
var noID uuid.UUID

func toUUID(id []byte) uuid.UUID {
	if len(id) != 16 {
		return noID
	}
	return uuid.UUID(id)
}

// optionalTime reads microseconds since the epoch, 0 being unknown.
func optionalTime(us int64) *time.Time {
	if us == 0 {
		return nil
	}
	t := time.UnixMicro(us).UTC()
	return &t
}
