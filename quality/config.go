package quality

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// AllMedia is the key of Overrides under which a threshold holds for every
// medium of the profile that has it.
const AllMedia = "all"

// Overrides replaces thresholds: profile, then medium ("all", "audio",
// "video", "screen"), then rule key (see Rule.Key), then the value in the
// metric's unit. A medium's own entry wins over "all".
//
//	call-diagnostics:
//	  all:   {jitter_ms_avg: 40}
//	  video: {frame_rate_avg: 10}
type Overrides map[string]map[string]map[string]float64

// Config chooses the profile and its thresholds. The zero value works: the
// profile call-diagnostics, published thresholds, no packet rule for cqd.
type Config struct {
	// Profile by which streams are judged when a request names none.
	// Default: call-diagnostics.
	Profile string `yaml:"profile" koanf:"profile" json:"profile"`
	// Overrides of published thresholds. Default: none.
	Overrides Overrides `yaml:"overrides" koanf:"overrides" json:"overrides,omitempty"`
	// CQDAudioMinPackets: under the profile cqd, an audio stream known to have
	// this many packets or fewer is unknown. Unit: packets. Default: 500 (the
	// newer published text); 0 judges every audio stream (the older text).
	CQDAudioMinPackets int `yaml:"cqd_audio_min_packets" koanf:"cqd_audio_min_packets" json:"cqd_audio_min_packets"`
}

// DefaultConfig is the published rules under the profile call-diagnostics.
func DefaultConfig() Config {
	return Config{Profile: CallDiagnostics, CQDAudioMinPackets: cqdAudioMinPackets}
}

// NewProfiles builds every profile with the configuration applied. The error
// names each field that is wrong, in a stable order.
func NewProfiles(cfg Config) (*Profiles, error) {
	if cfg.Profile == "" {
		cfg.Profile = CallDiagnostics
	}
	var errs []error
	if cfg.CQDAudioMinPackets < 0 {
		errs = append(errs, fmt.Errorf("cqd_audio_min_packets: %d is negative; write the number of packets, or 0 to judge every stream", cfg.CQDAudioMinPackets))
	}
	out := &Profiles{chosen: cfg.Profile, byName: map[string]*Profile{
		CallDiagnostics: callDiagnostics(),
		CQD:             cqd(float64(cfg.CQDAudioMinPackets)),
		RealTime:        realTime(),
		Insights:        insights(),
	}}
	if _, ok := out.byName[cfg.Profile]; !ok {
		errs = append(errs, unknownName("profile", cfg.Profile, ProfileNames()))
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Overrides)) {
		p, ok := out.byName[name]
		if !ok {
			errs = append(errs, unknownName("overrides", name, ProfileNames()))
			continue
		}
		errs = append(errs, p.override("overrides."+name, cfg.Overrides[name])...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("read quality thresholds: %w", err)
	}
	return out, nil
}

// override applies the entries of one profile, "all" before the media.
func (p *Profile) override(path string, byMedia map[string]map[string]float64) []error {
	var errs []error
	for _, medium := range slices.Sorted(maps.Keys(byMedia)) {
		if medium != AllMedia && medium != string(Audio) && medium != string(Video) && medium != string(Screen) {
			errs = append(errs, unknownName(path, medium, []string{AllMedia, string(Audio), string(Video), string(Screen)}))
		}
	}
	for _, step := range []struct {
		name string
		sets []*ruleSet
	}{
		{AllMedia, []*ruleSet{&p.audio, &p.video, &p.screen, &p.any}},
		{string(Audio), []*ruleSet{&p.audio}},
		{string(Video), []*ruleSet{&p.video}},
		{string(Screen), []*ruleSet{&p.screen}},
	} {
		entries := byMedia[step.name]
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			if err := overrideRule(path+"."+step.name, key, entries[key], step.sets); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}

// overrideRule sets the threshold of every rule with that key in the sets.
func overrideRule(path, key string, value float64, sets []*ruleSet) error {
	var keys []string
	found := false
	for _, set := range sets {
		for i := range set.rules {
			r := &set.rules[i]
			if !slices.Contains(keys, r.Key) {
				keys = append(keys, r.Key)
			}
			if r.Key != key {
				continue
			}
			found = true
			if err := checkThreshold(path+"."+key, r.Unit, value); err != nil {
				return err
			}
			r.Threshold = value
			r.Source = "configured, in place of " + formatNumber(r.Published) + " of: " + r.origin
		}
	}
	if !found {
		return unknownName(path, key, keys)
	}
	return nil
}

// checkThreshold refuses what can't be meant as a threshold.
func checkThreshold(field, unit string, value float64) error {
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0):
		return fmt.Errorf("%s: the threshold must be a finite number", field)
	case value <= 0:
		return fmt.Errorf("%s: %s is not above zero; write a positive threshold, or remove the line to keep the published one", field, formatNumber(value))
	case unit == unitRatio && value > 1:
		return fmt.Errorf("%s: %s is above 1; a ratio is written from 0 to 1, so 5 %% is 0.05", field, formatNumber(value))
	}
	return nil
}

func unknownName(path, name string, known []string) error {
	return fmt.Errorf("%s: unknown name %q; known are %s", path, name, strings.Join(known, ", "))
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
