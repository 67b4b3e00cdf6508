package webrtcinternals

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/ingest/webrtcstats"
)

const (
	// The page samples once a second; the period is taken from the longest series where it is near that.
	periodMs    = 1000
	minPeriodMs = 200
	maxPeriodMs = 60_000
	// A far end reports every few seconds; a series that ends much earlier ended with its stream.
	staleMs = 30_000
	// A dump holds the newest thousand values of a series; no call is a fortnight long.
	maxTicks = 1 << 20
)

// series are the values of one property of one report, oldest first.
type series struct {
	StartTime json.RawMessage `json:"startTime"`
	EndTime   json.RawMessage `json:"endTime"`
	StatsType string          `json:"statsType"`
	// JSON array as text; some tools write the array itself.
	Values json.RawMessage `json:"values"`
}

// track is a series ready to be replayed. Ticks count from the end of the peer connection's last series backwards, which
// is where series of different lengths meet: those that are cut or began later differ at their start.
type track struct {
	id, property string
	values       []json.RawMessage
	start, end   float64 // ms
	first, last  int     // ticks of the first and the last value; first >= last
	// remote: the times are those of the far end's reports, which may be seconds older than the sampling.
	remote bool
}

// replay is the statistics of one peer connection, tick by tick.
type replay struct {
	tracks     []*track // in the order in which they begin
	types      map[string]string
	start, end float64
	period     float64
}

func newReplay(stats json.RawMessage) (*replay, error) {
	r := &replay{types: map[string]string{}, period: periodMs}
	legacy, standard := false, false
	values := 0
	err := members(stats, func(name string, raw json.RawMessage) error {
		var s series
		if raw[0] != '{' || json.Unmarshal(raw, &s) != nil {
			return errShape
		}
		legacy = legacy || webrtcstats.LegacyType(s.StatsType)
		id, property, ok := split(name)
		if !ok {
			return nil
		}
		standard = standard || strings.HasSuffix(s.StatsType, "bound-rtp")
		t, err := newTrack(id, property, s)
		if err != nil || t == nil {
			return err
		}
		r.types[id] = s.StatsType
		r.tracks = append(r.tracks, t)
		if values += len(t.values); values > maxValues || len(r.tracks) > maxSeries {
			return errTooMany
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if legacy && !standard {
		return nil, webrtcstats.ErrLegacy
	}
	slices.SortStableFunc(r.tracks, func(a, b *track) int {
		return cmp.Or(strings.Compare(a.id, b.id), strings.Compare(a.property, b.property))
	})
	r.measure()
	if err := r.align(); err != nil {
		return nil, err
	}
	return r, nil
}

// measure finds when the page sampled: from the first to the last time of what the client itself counted, and how often.
func (r *replay) measure() {
	longest := 1
	for _, t := range r.tracks {
		kind := r.types[t.id]
		if t.remote = strings.HasPrefix(kind, "remote-") && strings.HasSuffix(kind, "-rtp"); t.remote {
			continue
		}
		if r.start == 0 || t.start < r.start {
			r.start = t.start
		}
		r.end = max(r.end, t.end)
		if n := len(t.values); n > longest {
			if p := (t.end - t.start) / float64(n-1); p >= minPeriodMs && p <= maxPeriodMs {
				longest, r.period = n, p
			}
		}
	}
	if r.end > 0 {
		return
	}
	for _, t := range r.tracks { // the far end's only
		if r.start == 0 || t.start < r.start {
			r.start = t.start
		}
		r.end = max(r.end, t.end)
	}
}

// split takes a series' name apart. Computed rates, "<id>-[bytesReceived_in_bits/s]", are not statistics, and properties
// without a meaning need not be read.
func split(name string) (id, property string, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 || strings.Contains(name, "[") || !webrtcstats.Known(name[i+1:]) {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

func newTrack(id, property string, s series) (*track, error) {
	raw := s.Values
	if len(raw) > maxSeriesText {
		return nil, errLongSeries
	}
	var text string
	if len(raw) > 0 && raw[0] == '"' {
		if json.Unmarshal(raw, &text) != nil {
			return nil, errors.New("a series is damaged")
		}
		raw = json.RawMessage(text)
	}
	t := &track{id: id, property: property, start: instant(s.StartTime), end: instant(s.EndTime)}
	if json.Unmarshal(raw, &t.values) != nil {
		return nil, errors.New("the values of a series are not a JSON array")
	}
	if len(t.values) == 0 {
		return nil, nil
	}
	if t.start == 0 || t.end == 0 || t.end < t.start {
		return nil, errors.New("startTime and endTime of a series must be times in the years 2000 to 2099, in this order")
	}
	return t, nil
}

// instant is an ISO 8601 time, or milliseconds since the epoch, in milliseconds; 0 for none in the years 2000 to 2099.
func instant(raw json.RawMessage) float64 {
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			if ms := float64(t.UnixMicro()) / 1000; webrtcstats.ValidMs(ms) {
				return ms
			}
		}
		raw = json.RawMessage(s)
	}
	return webrtcstats.EpochMs(raw)
}

func (r *replay) align() error {
	for _, t := range r.tracks {
		behind := math.Round(max(r.end-t.end, 0) / r.period)
		if t.remote && r.end-t.end < staleMs {
			behind = 0
		}
		if behind+float64(len(t.values)) > maxTicks {
			return errors.New("the series of a peer connection lie too far apart in time")
		}
		t.last = int(behind)
		t.first = t.last + len(t.values) - 1
	}
	slices.SortStableFunc(r.tracks, func(a, b *track) int { return b.first - a.first })
	return nil
}

// run calls f with the reports of each tick in the order of time.
func (r *replay) run(f func(reports map[string]*webrtcstats.Report, at float64) error) error {
	if len(r.tracks) == 0 {
		return nil
	}
	var active []*track
	next := r.tracks
	reports := map[string]*webrtcstats.Report{}
	for tick := next[0].first; tick >= 0; tick-- {
		if len(active) == 0 && len(next) > 0 && next[0].first < tick {
			tick = next[0].first
			clear(reports)
		}
		for len(next) > 0 && next[0].first == tick {
			active, next = append(active, next[0]), next[1:]
		}
		before := len(active)
		active = slices.DeleteFunc(active, func(t *track) bool { return t.last > tick })
		if len(active) < before {
			present := map[string]bool{}
			for _, t := range active {
				present[t.id] = true
			}
			maps.DeleteFunc(reports, func(id string, _ *webrtcstats.Report) bool { return !present[id] })
		}
		if len(active) == 0 {
			if len(next) == 0 {
				return nil
			}
			continue
		}
		for _, t := range active {
			t.apply(reports, r.types[t.id], tick)
		}
		if err := f(reports, r.end-float64(tick)*r.period); err != nil {
			return err
		}
	}
	return nil
}

func (t *track) apply(reports map[string]*webrtcstats.Report, kind string, tick int) {
	report := reports[t.id]
	if report == nil {
		report = webrtcstats.NewReport(kind)
		reports[t.id] = report
	}
	i := t.first - tick
	if i > 0 && string(t.values[i]) == string(t.values[i-1]) {
		return
	}
	report.Set(t.property, t.values[i])
}
