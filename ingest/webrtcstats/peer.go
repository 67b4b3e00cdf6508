package webrtcstats

import (
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/anteroom/anteroom/event"
)

// Bounds of the reports that a peer connection, and all of a file together, may have at one time. Real ones have at most some
// hundred.
const (
	MaxReports    = 20000
	MaxAllReports = 100000
)

var (
	// ErrShape is returned for statistics that are not an object of reports.
	ErrShape = errors.New("the statistics are not an object of reports")
	// ErrTooManyReports is returned above MaxReports and MaxAllReports.
	ErrTooManyReports = errors.New("more than 20000 reports of one peer connection, or 100000 of all, at one time")
	// ErrTooManyLiveReports is returned above MaxLiveReports.
	ErrTooManyLiveReports = errors.New("more than 8192 reports at one time in one session")
	// ErrLegacy is returned for statistics in the format that browsers had before the standard.
	ErrLegacy = errors.New("unsupported format: legacy goog* statistics; record with a browser and client that use standard statistics")
)

// Delta says how a tool writes what changed since the last statistics of the same peer connection.
type Delta struct {
	// KeepMissing: a report that is not mentioned has not changed. Otherwise it has been removed.
	KeepMissing bool
	// Property and Type translate what the tool shortened; nil for nothing.
	Property func(string) string
	Type     func(json.RawMessage) (string, bool)
	// TimestampKey is the name of the time that all reports share, at the top level.
	TimestampKey string
}

// Peer is the statistics of one peer connection as they are now.
type Peer struct {
	reports map[string]*Report
	scratch map[string]json.RawMessage
}

// Apply takes the next statistics, written as changes against the ones before: a property that is missing keeps its value,
// a report's timestamp that is missing keeps its value too, and one of 0 stands for the common one. at is the time of the
// line in milliseconds since the epoch, for want of better. After an error the peer must not be used.
func (p *Peer) Apply(value []byte, at float64, d Delta) error {
	var entry map[string]json.RawMessage
	if len(value) == 0 || value[0] != '{' || json.Unmarshal(value, &entry) != nil {
		return ErrShape
	}
	if len(entry) > MaxReports {
		return ErrTooManyReports
	}
	shared, ok := parseNumber(entry[d.TimestampKey])
	if shared = epochMs(shared); !ok || shared == 0 {
		shared = at
	}
	if p.reports == nil {
		p.reports, p.scratch = map[string]*Report{}, map[string]json.RawMessage{}
	}
	if !d.KeepMissing {
		for id := range p.reports {
			if _, ok := entry[id]; !ok {
				delete(p.reports, id)
			}
		}
	} else {
		for _, r := range p.reports {
			r.nums[numTimestamp], r.has = shared, r.has|1<<numTimestamp
		}
	}
	for id, raw := range entry {
		if string(raw) == "null" {
			delete(p.reports, id)
			continue
		}
		if len(raw) == 0 || raw[0] != '{' {
			continue
		}
		if err := p.applyReport(id, raw, shared, d); err != nil {
			return err
		}
	}
	if len(p.reports) > MaxReports {
		return ErrTooManyReports
	}
	return nil
}

func (p *Peer) applyReport(id string, raw json.RawMessage, shared float64, d Delta) error {
	clear(p.scratch)
	if json.Unmarshal(raw, &p.scratch) != nil {
		return ErrShape
	}
	r := p.reports[id]
	if r == nil {
		r = new(Report)
		p.reports[id] = r
		r.nums[numTimestamp], r.has = shared, 1<<numTimestamp
	}
	for name, v := range p.scratch {
		if d.Property != nil {
			name = d.Property(name)
		}
		if name == "type" && d.Type != nil {
			if t, ok := d.Type(v); ok {
				r.txts[textType] = t
				continue
			}
		}
		r.Set(name, v)
	}
	if LegacyType(r.text(textType)) {
		return ErrLegacy
	}
	if t, ok := r.num(numTimestamp); ok {
		if t = epochMs(t); t == 0 {
			t = shared
		}
		r.nums[numTimestamp] = t
	}
	return nil
}

// epochMs brings a time since the epoch to milliseconds; tools write milli-, micro- and nanoseconds. Anything that is none of
// them in the years 2000 to 2099 (0, times since the page was loaded) gives 0: not known.
func epochMs(t float64) float64 {
	for _, perMs := range [...]float64{1, 1e3, 1e6} {
		if ms := t / perMs; ValidMs(ms) {
			return ms
		}
	}
	return 0
}

// EpochMs is a time that a tool wrote, in milliseconds since the epoch; 0 when it is none in the years 2000 to 2099.
func EpochMs(raw []byte) float64 {
	t, ok := parseNumber(raw)
	if !ok {
		return 0
	}
	return epochMs(t)
}

// ValidMs tells whether a time in milliseconds since the epoch can stand in an event.
func ValidMs(ms float64) bool {
	return !math.IsNaN(ms) && math.Abs(ms) < 1e15 && event.ValidTime(microseconds(ms))
}

// microseconds of a time in milliseconds, as events carry them.
func microseconds(ms float64) int64 {
	return int64(math.Round(ms * float64(time.Millisecond/time.Microsecond)))
}

// Reports are the statistics as they are now. The caller must not change them.
func (p *Peer) Reports() map[string]*Report { return p.reports }
