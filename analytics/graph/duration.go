package graph

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is written as ISO 8601 does, such as PT0.016S or PT1H2M3.5S.
type Duration time.Duration

// MarshalText writes it, to the microsecond. A negative one, which nothing measured can be, is written with a minus in front.
func (d Duration) MarshalText() ([]byte, error) {
	rest := time.Duration(d).Round(time.Microsecond)
	var out strings.Builder
	if rest < 0 {
		out.WriteByte('-')
		rest = -rest
	}
	out.WriteString("PT")
	hours, minutes := rest/time.Hour, rest%time.Hour/time.Minute
	if hours > 0 {
		out.WriteString(strconv.FormatInt(int64(hours), 10) + "H")
	}
	if minutes > 0 {
		out.WriteString(strconv.FormatInt(int64(minutes), 10) + "M")
	}
	if seconds := rest % time.Minute; seconds > 0 || rest < time.Minute {
		out.WriteString(strconv.FormatFloat(seconds.Seconds(), 'f', -1, 64) + "S")
	}
	return []byte(out.String()), nil
}

// milliseconds makes a duration; nil of what isn't known or no number.
func milliseconds(ms *float64) *Duration {
	const most = float64(math.MaxInt64 / int64(time.Millisecond))
	if ms == nil || math.IsNaN(*ms) || math.Abs(*ms) >= most {
		return nil
	}
	d := Duration(math.Round(*ms * float64(time.Millisecond)))
	return &d
}
