package quality

import (
	"math"
	"strconv"
)

// Value is a measurement that may be missing. The zero Value is not known.
// It holds no pointer, so that rows judged by the million cost no allocation.
type Value struct {
	V     float64
	Known bool
}

// Of is a known value, unless v can't be a measurement (NaN, infinite or
// negative): then it is not known.
func Of(v float64) Value { return Value{V: v, Known: true}.clean() }

// OfNullable is the value of a nullable column: known says that it is not NULL.
func OfNullable(v float64, known bool) Value { return Value{V: v, Known: known}.clean() }

// OfPtr is the value behind p; nil is not known.
func OfPtr(p *float64) Value {
	if p == nil {
		return Value{}
	}
	return Of(*p)
}

// clean makes a Value that can't be a measurement unknown. Judging cleans
// again what it reads, since a Value can also be written as a literal.
func (v Value) clean() Value {
	if !v.Known || math.IsNaN(v.V) || math.IsInf(v.V, 0) || v.V < 0 {
		return Value{}
	}
	return v
}

// Ptr is nil for what is not known; for JSON and nullable columns.
func (v Value) Ptr() *float64 {
	v = v.clean()
	if !v.Known {
		return nil
	}
	return &v.V
}

// MarshalJSON writes a number, or null for what is not known.
func (v Value) MarshalJSON() ([]byte, error) {
	v = v.clean()
	if !v.Known {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, v.V, 'g', -1, 64), nil
}
