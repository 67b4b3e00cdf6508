package store

import (
	"slices"
	"time"

	"github.com/google/uuid"
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
	topics  vec[string]
	parts   vec[int32]
	offsets vec[int64]
	indexes vec[uint32]
	// times is the column that the table is partitioned by.
	times *vec[time.Time]
}

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.offsets.values) }

func (r *Rows) init(table string, times *vec[time.Time], columns ...column) {
	r.table, r.times = table, times
	r.topics.name, r.parts.name, r.offsets.name, r.indexes.name = "_topic", "_partition", "_offset", "_index"
	r.columns = append(slices.Clip(columns), &r.topics, &r.parts, &r.offsets, &r.indexes)
}

func (r *Rows) begin(o Origin) {
	r.topics.add(r.topic)
	r.parts.add(r.partition)
	r.offsets.add(o.Offset)
	r.indexes.add(o.Index)
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
	org        vec[string]
	region     vec[string]
	callID     vec[string]
	sourceKind vec[int8]
	observedAt vec[time.Time]
}

func (e *envelope) init() []column {
	e.org.name, e.region.name, e.callID.name = "org", "region", "call_id"
	e.sourceKind.name, e.observedAt.name = "source_kind", "observed_at"
	return []column{&e.org, &e.region, &e.callID, &e.sourceKind, &e.observedAt}
}

func (e *envelope) add(v Envelope) {
	e.org.add(v.Org)
	e.region.add(v.Region)
	e.callID.add(v.CallID)
	e.sourceKind.add(v.SourceKind)
	e.observedAt.add(v.ObservedAt)
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
