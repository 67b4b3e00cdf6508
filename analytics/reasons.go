package analytics

import "github.com/anteroom/anteroom/quality"

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
