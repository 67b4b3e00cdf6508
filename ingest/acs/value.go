package acs

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom/anteroom/event"
)

// text is a field's value, "" when it is missing, null or redacted.
func (r *record) text(name string) string {
	v, ok := r.find(name)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		r.failField(name, "must be text or a number")
		return ""
	}
	if strings.EqualFold(s, "redacted") {
		return ""
	}
	return s
}

// id is an identifier of Azure's; GUIDs are equal in any case, so they are written in lower case.
func (r *record) id(name string) string {
	s := r.text(name)
	if len(s) > maxID {
		r.failField(name, "must have at most 128 bytes")
		return ""
	}
	if isGUID(s) {
		return strings.ToLower(s)
	}
	return s
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !isHex(c) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// number is a field's value, nil when it isn't known ("NaN" included: it is what a mean of nothing is written as).
// It must not be negative and at most limit.
func (r *record) number(name string, limit float64) *float64 {
	s := r.text(name)
	if s == "" || strings.EqualFold(s, "nan") {
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if !isDecimal(s) {
		r.failField(name, "must be a number")
		return nil
	}
	switch {
	case f < 0:
		r.failField(name, "must not be negative")
	case err != nil || f > limit:
		r.failField(name, "is too large")
	default:
		if f == 0 {
			f = 0 // not minus zero
		}
		return &f
	}
	return nil
}

// isDecimal keeps out what ParseFloat takes beyond decimal numbers: hexadecimal, infinity, underscores.
func isDecimal(s string) bool {
	digits := false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits = true
		case c == '+' || c == '-':
			if i > 0 && s[i-1] != 'e' && s[i-1] != 'E' {
				return false
			}
		case c == '.' || c == 'e' || c == 'E':
		default:
			return false
		}
	}
	_, err := strconv.ParseFloat(s, 64)
	return digits && (err == nil || isRange(err))
}

func isRange(err error) bool {
	return errors.Is(err, strconv.ErrRange)
}

// count is a whole number; nil when not known.
func (r *record) count(name string, limit uint64) *uint64 {
	f := r.number(name, math.Min(float64(limit), 1<<53))
	if f == nil {
		return nil
	}
	if *f != math.Trunc(*f) {
		r.failField(name, "must be a whole number")
		return nil
	}
	n := uint64(*f)
	return &n
}

// Limits of what numbers can be in earnest.
const (
	maxSeconds = 366 * 24 * 3600 // a year
	maxMetric  = 1e12
)

// duration is a length of time that is given in units, in microseconds. A fraction of a microsecond is rounded.
func (r *record) duration(name string, unit time.Duration) (us int64, known bool) {
	f := r.number(name, maxSeconds*float64(time.Second/unit))
	if f == nil {
		return 0, false
	}
	return int64(math.Round(*f * float64(unit) / 1e3)), true
}

// layouts of time. Each takes a fraction of any number of digits; without a zone UTC is meant, as in all of Azure Monitor.
var layouts = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05"}

// time is an instant in microseconds since the epoch, UTC; 0 when it isn't known. Year 1 is how .NET writes a time never set.
func (r *record) time(name string) int64 {
	s := r.text(name)
	if s == "" || strings.HasPrefix(s, "0001-01-01") {
		return 0
	}
	if len(s) <= len("2006-01-02T15:04:05.999999999+00:00")+8 {
		for _, layout := range layouts {
			t, err := time.Parse(layout, s)
			if err != nil {
				continue
			}
			us := t.UnixMicro()
			if !event.ValidTime(us) {
				r.failField(name, "must lie in the years 2000 to 2099")
				return 0
			}
			return us
		}
	}
	r.failField(name, "must be a time such as 2026-03-04T10:00:00Z")
	return 0
}

// token is a field's value if it looks like a word of a fixed vocabulary: at most limit letters, digits and "_.+-". It is for what
// is told about software and media, never for what people write. Anything else is dropped.
func (r *record) token(name string, limit int) string {
	s := r.text(name)
	if len(s) > limit {
		return ""
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && !strings.ContainsRune("_.+-", rune(c)) {
			return ""
		}
	}
	return s
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// vocabulary is a closed set of words, by their lower-case form.
type vocabulary map[string]string

func words(list ...string) vocabulary {
	v := make(vocabulary, len(list))
	for _, word := range list {
		v[strings.ToLower(word)] = word
	}
	return v
}

// of gives the word as it is usually written, "" for what isn't in the set.
func (v vocabulary) of(s string) string { return v[strings.ToLower(s)] }

// code is the number of a field that tells a status: HTTP or the SDK's own. What is no such number is 0.
func (r *record) code(name string) int32 {
	n, err := strconv.ParseInt(r.text(name), 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}
