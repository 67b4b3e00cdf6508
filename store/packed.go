package store

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// The columns of hot tables hold their values as ClickHouse reads them (the format Native: little-endian, one after the other), so that handing them to
// the driver is copying memory, and so that a batch has no pointers for the garbage collector to follow.

// fixed is a column of values of a fixed width. Values of another type of the same width must not be taken for the column's, nor may strings be read of
// numbers: so it knows its type.
type fixed struct {
	name  string
	kind  string // how the type's name begins
	width int
	data  []byte
}

// Types of which columns are held packed.
const (
	enum8      = "Enum8("
	int32s     = "Int32"
	int64s     = "Int64"
	uint32s    = "UInt32"
	uint64s    = "UInt64"
	uuids      = "UUID"
	micros64   = "DateTime64(6"
	gaugeKind  = "Nullable(Float32)"
	wordsKind  = "String"
	dictionary = "LowCardinality(String)"
)

func newFixed(name, kind string) fixed {
	widths := map[string]int{enum8: 1, int32s: 4, uint32s: 4, int64s: 8, uint64s: 8, micros64: 8, uuids: 16}
	return fixed{name: name, kind: kind, width: widths[kind]}
}

func (f *fixed) put8(v int8)      { f.data = append(f.data, byte(v)) }
func (f *fixed) put32(v uint32)   { f.data = binary.LittleEndian.AppendUint32(f.data, v) }
func (f *fixed) put64(v uint64)   { f.data = binary.LittleEndian.AppendUint64(f.data, v) }
func (f *fixed) at32(i int) int32 { return int32(binary.LittleEndian.Uint32(f.data[4*i:])) } //nolint:gosec // bits are bits
func (f *fixed) at64(i int) int64 { return int64(binary.LittleEndian.Uint64(f.data[8*i:])) } //nolint:gosec // bits are bits

// fill8, fill32 and fill64 add the same value n times.
func (f *fixed) fill8(v int8, n int) {
	for range n {
		f.put8(v)
	}
}

func (f *fixed) fill32(v uint32, n int) {
	for range n {
		f.put32(v)
	}
}

func (f *fixed) fill64(v uint64, n int) {
	for range n {
		f.put64(v)
	}
}

// putUUID adds an id of 16 bytes; anything else is taken for none. A UUID is two numbers, its first eight bytes and its last.
func (f *fixed) putUUID(id []byte) {
	if len(id) != 16 {
		f.data = append(f.data, noID[:]...)
		return
	}
	f.put64(binary.BigEndian.Uint64(id))
	f.put64(binary.BigEndian.Uint64(id[8:]))
}

// putTime adds a time of the type DateTime64(6).
func (f *fixed) putTime(t time.Time) { f.put64(uint64(t.UnixMicro())) } //nolint:gosec // bits are bits

func (f *fixed) columnName() string { return f.name }
func (f *fixed) len() int           { return len(f.data) / f.width }
func (f *fixed) grow(n int)         { f.data = slices.Grow(f.data, n*f.width) }
func (f *fixed) truncate(n int)     { f.data = f.data[:n*f.width] }
func (f *fixed) reset()             { f.data = f.data[:0] }

func (f *fixed) drop(keep []bool) {
	n := 0
	for i, kept := range keep {
		if kept {
			copy(f.data[n*f.width:], f.data[i*f.width:(i+1)*f.width])
			n++
		}
	}
	f.truncate(n)
}

func (f *fixed) pick(dst column, keep []bool) {
	to := dst.(*fixed) // both are the same column of two tables of one shape
	for i, kept := range keep {
		if kept {
			to.data = append(to.data, f.data[i*f.width:(i+1)*f.width]...)
		}
	}
}

func (f *fixed) appendTo(c driver.Interface, feed *feed) error {
	if !strings.HasPrefix(string(c.Type()), f.kind) {
		return otherType(c)
	}
	if feed.order == nil {
		return feed.into(c, f.data, f.len())
	}
	feed.scratch = feed.ordered(feed.scratch[:0], f.data, f.width)
	return feed.into(c, feed.scratch, f.len())
}

// gauge is a column of the type Nullable(Float32).
type gauge struct {
	nulls, values fixed
}

func (g *gauge) put(v float32, known bool) {
	if !known {
		g.nulls.data = append(g.nulls.data, 1)
		g.values.put32(0)
		return
	}
	g.nulls.data = append(g.nulls.data, 0)
	g.values.put32(math.Float32bits(v))
}

func (g *gauge) columnName() string { return g.values.name }
func (g *gauge) len() int           { return g.values.len() }

func (g *gauge) grow(n int) {
	g.nulls.grow(n)
	g.values.grow(n)
}

func (g *gauge) truncate(n int) {
	g.nulls.truncate(n)
	g.values.truncate(n)
}

func (g *gauge) drop(keep []bool) {
	g.nulls.drop(keep)
	g.values.drop(keep)
}

func (g *gauge) reset() {
	g.nulls.reset()
	g.values.reset()
}

func (g *gauge) pick(dst column, keep []bool) {
	to := dst.(*gauge) // both are the same column of two tables of one shape
	g.nulls.pick(&to.nulls, keep)
	g.values.pick(&to.values, keep)
}

func (g *gauge) appendTo(c driver.Interface, feed *feed) error {
	if c.Type() != gaugeKind {
		return otherType(c)
	}
	out := feed.ordered(feed.scratch[:0], g.nulls.data, g.nulls.width)
	feed.scratch = feed.ordered(out, g.values.data, g.values.width)
	return feed.into(c, feed.scratch, g.len())
}

// words is a column of strings of which few are different: each is kept once, rows have its number.
type words struct {
	name  string
	all   []string
	index map[string]uint32
	rows  []uint32
	// last is the number of the word that was added last: mostly the next one is the same.
	last uint32
}

func (w *words) add(s string) {
	if n := len(w.rows); n > 0 && w.all[w.last] == s {
		w.rows = append(w.rows, w.last)
		return
	}
	i, ok := w.index[s]
	if !ok {
		i = w.enter(s)
	}
	w.last = i
	w.rows = append(w.rows, i)
}

// fill adds a string n times that is somewhere in a buffer: it is copied only if it is new.
func (w *words) fill(s []byte, n int) {
	if len(w.rows) == 0 || w.all[w.last] != string(s) {
		i, ok := w.index[string(s)]
		if !ok {
			i = w.enter(string(s))
		}
		w.last = i
	}
	for range n {
		w.rows = append(w.rows, w.last)
	}
}

func (w *words) enter(s string) uint32 {
	if w.index == nil {
		w.index = make(map[string]uint32)
	}
	i := uint32(len(w.all)) //nolint:gosec // no batch has that many rows
	w.all = append(w.all, s)
	w.index[s] = i
	return i
}

func (w *words) at(row int) string  { return w.all[w.rows[row]] }
func (w *words) columnName() string { return w.name }
func (w *words) len() int           { return len(w.rows) }
func (w *words) grow(n int)         { w.rows = slices.Grow(w.rows, n) }
func (w *words) truncate(n int)     { w.rows = w.rows[:n] }

func (w *words) drop(keep []bool) {
	n := 0
	for i, kept := range keep {
		if kept {
			w.rows[n] = w.rows[i]
			n++
		}
	}
	w.truncate(n)
}

// reset forgets the words too: they must not outlive the batch.
func (w *words) reset() {
	clear(w.all)
	clear(w.index)
	w.all, w.rows, w.last = w.all[:0], w.rows[:0], 0
}

func (w *words) pick(dst column, keep []bool) {
	to := dst.(*words) // both are the same column of two tables of one shape
	for i, kept := range keep {
		if kept {
			to.add(w.at(i))
		}
	}
}

// appendTo writes strings, or a dictionary and its numbers where the server takes one.
func (w *words) appendTo(c driver.Interface, feed *feed) error {
	out := feed.scratch[:0]
	switch c.Type() {
	case dictionary:
	case wordsKind:
		for i := range w.rows {
			out = appendString(out, w.at(feed.row(i)))
		}
		feed.scratch = out
		return feed.into(c, out, len(w.rows))
	default:
		return otherType(c)
	}
	// Of the format: there are additional keys, the dictionary is this block's own; and how wide the numbers are, as powers of two bytes.
	const ownKeys, anew = 1 << 9, 1 << 10
	width := uint64(0)
	switch n := len(w.all); {
	case n > math.MaxUint16:
		width = 2
	case n > math.MaxUint8:
		width = 1
	}
	out = binary.LittleEndian.AppendUint64(out, ownKeys|anew|width)
	// The first word of a dictionary is the type's default.
	out = binary.LittleEndian.AppendUint64(out, uint64(len(w.all)+1))
	out = append(out, 0)
	for _, s := range w.all {
		out = appendString(out, s)
	}
	out = binary.LittleEndian.AppendUint64(out, uint64(len(w.rows)))
	for i := range w.rows {
		number := w.rows[feed.row(i)] + 1
		switch width {
		case 0:
			out = append(out, byte(number))
		case 1:
			out = binary.LittleEndian.AppendUint16(out, uint16(number)) //nolint:gosec // the width was chosen for it
		default:
			out = binary.LittleEndian.AppendUint32(out, number)
		}
	}
	feed.scratch = out
	return feed.into(c, out, len(w.rows))
}

func appendString(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}
