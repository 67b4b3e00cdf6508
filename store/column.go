package store

import (
	"slices"

	driver "github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// column is one column of rows that wait for their insert. Columns are reused from batch to batch.
type column interface {
	columnName() string
	len() int
	// appendTo fills a column of the driver's.
	appendTo(c driver.Interface, feed *feed) error
	// pick appends to dst, a column of the same type, the rows for which keep is true.
	pick(dst column, keep []bool)
	reset()
	// grow makes room for n more values at once.
	grow(n int)
	// truncate forgets all values but the first n.
	truncate(n int)
	// drop forgets the values of rows that are not to be kept.
	drop(keep []bool)
}

// vec is a column of values of type T; *X for a Nullable(X), nil being NULL.
type vec[T any] struct {
	name   string
	values []T
}

func (v *vec[T]) add(x T)            { v.values = append(v.values, x) }
func (v *vec[T]) columnName() string { return v.name }
func (v *vec[T]) len() int           { return len(v.values) }

func (v *vec[T]) grow(n int) { v.values = slices.Grow(v.values, n) }

func (v *vec[T]) appendTo(c driver.Interface, _ *feed) error {
	_, err := c.Append(v.values)
	return err
}

func (v *vec[T]) pick(dst column, keep []bool) {
	to := dst.(*vec[T]) // both are the same column of two tables of one shape
	for i, x := range v.values {
		if keep[i] {
			to.add(x)
		}
	}
}

// reset clears the values too: what they point to must not outlive the batch.
func (v *vec[T]) reset() {
	clear(v.values)
	v.values = v.values[:0]
}

func (v *vec[T]) truncate(n int) {
	clear(v.values[n:])
	v.values = v.values[:n]
}

func (v *vec[T]) drop(keep []bool) {
	n := 0
	for i, kept := range keep {
		if kept {
			v.values[n] = v.values[i]
			n++
		}
	}
	v.truncate(n)
}
