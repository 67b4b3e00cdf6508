package analytics

import (
	"slices"

	"github.com/anteroom/anteroom/quality"
)

// Worst are the thresholds that streams of the call broke, once per metric, medium and direction with the worst value, in the order of
// streams and rules.
func (c *Call) Worst() []quality.Reason {
	type broken struct {
		metric    quality.Metric
		media     quality.Media
		direction quality.Direction
	}
	var out []quality.Reason
	place := make(map[broken]int)
	for i := range c.Judged {
		if !c.Judged[i].Counted {
			continue
		}
		for _, r := range c.Judged[i].Reasons {
			key := broken{r.Metric, r.Media, r.Direction}
			at, seen := place[key]
			high := r.Comparison == quality.Above || r.Comparison == quality.AtLeast
			switch {
			case !seen:
				place[key] = len(out)
				out = append(out, r)
			case high && r.Value > out[at].Value, !high && r.Value < out[at].Value:
				out[at] = r
			}
		}
	}
	return out
}

// TopReason is the one reason of a poor call that is shown first.
type TopReason struct {
	// Metric or network diagnostic.
	Metric string `json:"metric"`
	// Value, Comparison, Threshold, Unit, Media and Direction are those of thresholds.
	Value      *float64 `json:"value,omitempty"`
	Comparison string   `json:"comparison,omitempty"`
	Threshold  *float64 `json:"threshold,omitempty"`
	Unit       string   `json:"unit,omitempty"`
	Media      string   `json:"media,omitempty"`
	Direction  string   `json:"direction,omitempty"`
	Text       string   `json:"text"`
}

// Top is the reason that is furthest over its threshold, or else the first network diagnostic, with the likely side of its stream. Nil unless the call
// is poor.
func (c *Call) Top() (*TopReason, Side) {
	var worst *quality.Reason
	var of *Stream
	for i := range c.Judged {
		s := &c.Judged[i]
		if r := furthest(s.Reasons); s.Counted && r != nil && (worst == nil || excess(r) > excess(worst)) {
			worst, of = r, s
		}
	}
	switch {
	case worst != nil:
		return &TopReason{
			Metric: string(worst.Metric), Value: &worst.Value, Comparison: string(worst.Comparison), Threshold: &worst.Threshold, Unit: worst.Unit,
			Media: string(worst.Media), Direction: string(worst.Direction), Text: worst.String(),
		}, c.sideOfStream(of)
	case len(c.NetworkReasons) > 0:
		r := c.NetworkReasons[0]
		info, _ := quality.LookupDiagnostic(r.Name)
		return &TopReason{Metric: r.Name, Text: r.String()}, sideOfDiagnostic(info)
	}
	return nil, ""
}

// furthest is the reason that is furthest over its threshold; of equals the first. Nil for none.
func furthest(reasons []quality.Reason) *quality.Reason {
	var out *quality.Reason
	for i := range reasons {
		if out == nil || excess(&reasons[i]) > excess(out) {
			out = &reasons[i]
		}
	}
	return out
}

// excess is how many times over its threshold a value is.
func excess(r *quality.Reason) float64 {
	const tiny = 1e-9
	if r.Comparison == quality.Below || r.Comparison == quality.AtMost {
		return r.Threshold / max(r.Value, tiny)
	}
	return r.Value / max(r.Threshold, tiny)
}

// metrics are the names of what makes the call poor, each once, in order.
func (c *Call) metrics() []string {
	var out []string
	for i := range c.Judged {
		if !c.Judged[i].Counted {
			continue
		}
		for _, r := range c.Judged[i].Reasons {
			out = append(out, string(r.Metric))
		}
	}
	out = append(out, c.NetworkDiagnostics...)
	slices.Sort(out)
	return slices.Compact(out)
}

// Sides are the likely sides of the call's poor streams and issues, each once, in order.
func (c *Call) Sides() []string {
	var out []string
	for _, issue := range c.Issues() {
		if issue.Side != "" {
			out = append(out, string(issue.Side))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
