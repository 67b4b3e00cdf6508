package quality

// Rating is what a call's surveys add up to.
type Rating string

// The ratings.
const (
	RatingGood    Rating = "good"
	RatingAverage Rating = "average"
	RatingPoor    Rating = "poor"
	RatingUnknown Rating = "unknown"
)

// SurveyScore is one answer.
type SurveyScore struct {
	Score      Value
	UpperBound Value // of the scale; not known or 0: 5
}

// RateSurveys takes the mean of score x 5 / upper bound over the answers that
// have a score: at least 4.5 is good, at least 3 average, else poor. The mean
// is not known, and the rating unknown, without a score.
// Source: the Call Diagnostics portal query.
func RateSurveys(scores []SurveyScore) (Rating, Value) {
	sum, n := 0.0, 0
	for _, s := range scores {
		score, upper := s.Score.clean(), s.UpperBound.clean()
		if !score.Known {
			continue
		}
		if !upper.Known || upper.V == 0 {
			upper.V = 5
		}
		sum += score.V * 5 / upper.V
		n++
	}
	mean := Value{}
	if n > 0 {
		mean = Of(sum / float64(n))
	}
	switch {
	case !mean.Known:
		return RatingUnknown, Value{}
	case mean.V >= 4.5:
		return RatingGood, mean
	case mean.V >= 3:
		return RatingAverage, mean
	}
	return RatingPoor, mean
}
