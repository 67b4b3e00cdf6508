package store

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/ClickHouse/ch-go/proto"
	driver "github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// feed hands packed columns to the driver, which reads them as it reads answers of the server. It is reused, and for one insert at a time.
type feed struct {
	reader  *proto.Reader
	rest    []byte
	scratch []byte
	// order is in which rows are handed over; nil for as they are.
	order []uint32
}

func newFeed() *feed {
	f := new(feed)
	f.reader = proto.NewReader(f)
	return f
}

// Read gives the driver the bytes of the column that is handed over.
func (f *feed) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// row is which row comes at a place.
func (f *feed) row(i int) int {
	if f.order == nil {
		return i
	}
	return int(f.order[i])
}

// ordered appends values in the order in which rows are handed over.
func (f *feed) ordered(out, data []byte, width int) []byte {
	if f.order == nil {
		return append(out, data...)
	}
	at := len(out)
	out = slices.Grow(out, len(data))[:at+len(data)]
	to := out[at:]
	switch width {
	case 1:
		for i, row := range f.order {
			to[i] = data[row]
		}
	case 4:
		for i, row := range f.order {
			copy(to[4*i:4*i+4], data[4*row:4*row+4])
		}
	case 8:
		for i, row := range f.order {
			copy(to[8*i:8*i+8], data[8*row:8*row+8])
		}
	default:
		for i, row := range f.order {
			copy(to[width*i:width*(i+1)], data[width*int(row):width*(int(row)+1)])
		}
	}
	return out
}

// otherType is of a table that was altered by hand.
func otherType(c driver.Interface) error {
	return fmt.Errorf("the table has the type %s, which is not what belongs there", c.Type())
}

// into fills a column of the driver's with rows.
func (f *feed) into(c driver.Interface, data []byte, rows int) error {
	f.rest = data
	if err := c.Decode(f.reader, rows); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	var left [1]byte
	if n, _ := f.reader.Read(left[:]); n > 0 || c.Rows() != rows {
		return fmt.Errorf("hand over: %d rows are not what a column of %s takes", rows, c.Type())
	}
	return nil
}

// feeds are those that no insert has just now. Its methods are safe for concurrent use.
type feeds struct {
	mu   sync.Mutex
	free []*feed // guarded by mu
}

func (f *feeds) take() *feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.free) == 0 {
		return newFeed()
	}
	last := len(f.free) - 1
	out := f.free[last]
	f.free = f.free[:last]
	return out
}

func (f *feeds) put(used *feed) {
	used.rest, used.order = nil, nil
	used.reader = proto.NewReader(used) // what a failed insert left in the old one is nobody's
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free = append(f.free, used)
}
