package quality

import "slices"

// Names of the profiles.
const (
	CallDiagnostics = "call-diagnostics" // the default
	CQD             = "cqd"
	RealTime        = "real-time"
	Insights        = "insights"
)

// ProfileNames lists the profiles, the default first.
func ProfileNames() []string { return []string{CallDiagnostics, CQD, RealTime, Insights} }

// Comparison says on which side of its threshold a value is poor.
type Comparison string

// The four comparisons. A value exactly at the threshold is poor only under
// AtLeast and AtMost.
const (
	Above   Comparison = ">"
	AtLeast Comparison = ">="
	Below   Comparison = "<"
	AtMost  Comparison = "<="
)

func (c Comparison) holds(v, threshold float64) bool {
	switch c {
	case Above:
		return v > threshold
	case AtLeast:
		return v >= threshold
	case Below:
		return v < threshold
	case AtMost:
		return v <= threshold
	}
	return false
}

// Rule is one threshold of a profile for one medium: the stream is poor when
// the metric stands in the comparison to the threshold.
type Rule struct {
	Key        string     `json:"key"` // name in Overrides: the metric, or the metric and its height band
	Metric     Metric     `json:"metric"`
	Media      Media      `json:"media"` // "" is every medium outside the three
	Comparison Comparison `json:"comparison"`
	Threshold  float64    `json:"threshold"` // in Unit
	Published  float64    `json:"published"` // the threshold before any override, in Unit
	Unit       string     `json:"unit"`
	Source     string     `json:"source"` // where the figure comes from
	// MinHeightPx limits the rule to frames known to be at least this high;
	// BelowHeightPx to frames lower than this, or of unknown height. 0 is no limit.
	MinHeightPx   float64 `json:"min_height_px,omitempty"`
	BelowHeightPx float64 `json:"below_height_px,omitempty"`

	origin string // Source before any override
}

// applies says whether the height of the stream is within the rule's band.
func (r *Rule) applies(m *Measures) bool {
	if r.MinHeightPx == 0 && r.BelowHeightPx == 0 {
		return true
	}
	h := m.ReceivedHeightPx.clean()
	if r.MinHeightPx > 0 {
		return h.Known && h.V >= r.MinHeightPx
	}
	return !h.Known || h.V < r.BelowHeightPx
}

// How the rules of one medium combine.
type mode uint8

const (
	anyPoor        mode = iota // poor if any rule says poor
	firstAvailable             // the first rule whose metric is known decides alone
)

// ruleSet is what a profile says about one medium.
type ruleSet struct {
	mode  mode
	rules []Rule
	// minPackets: a stream known to have no more packets is not classified. 0: no such rule.
	minPackets float64
}

// Profile is a named set of thresholds. It is immutable; get one from
// [Default] or [NewProfiles].
type Profile struct {
	name                      string
	audio, video, screen, any ruleSet
	// connectivityDecides: a stream whose ICE failed is not classified, whatever else is known.
	connectivityDecides bool
}

// Name is the profile's name.
func (p *Profile) Name() string { return p.name }

// Rules lists the thresholds in the order in which they are judged: audio,
// video, screen, then those for every other medium. The slice is the caller's.
func (p *Profile) Rules() []Rule {
	return slices.Concat(p.audio.rules, p.video.rules, p.screen.rules, p.any.rules)
}

// MinPackets is how many packets an audio stream may have at most to be unclassified for having too few; 0: no such rule.
func (p *Profile) MinPackets() int { return int(p.audio.minPackets) }

// set selects the rules of a medium.
func (p *Profile) set(m Media) *ruleSet {
	switch m {
	case Audio:
		return &p.audio
	case Video:
		return &p.video
	case Screen:
		return &p.screen
	}
	return &p.any
}

// Default is the profile call-diagnostics without overrides.
func Default() *Profile { return callDiagnostics() }

// Profiles holds each profile with the configuration applied.
type Profiles struct {
	chosen string
	byName map[string]*Profile
}

// Default is the profile that the configuration names.
func (p *Profiles) Default() *Profile { return p.byName[p.chosen] }

// Get is the profile of that name; the empty name is the configured default.
func (p *Profiles) Get(name string) (*Profile, bool) {
	if name == "" {
		name = p.chosen
	}
	got, ok := p.byName[name]
	return got, ok
}
