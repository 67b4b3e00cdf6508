package api

import (
	"context"

	"github.com/anteroom/anteroom/api/openapi"
)

// Surveys takes ratings of calls.
type Surveys interface {
	// Rate takes the rating of whoever bears a participant's token of the call. *Error: it is refused; *identity.Error: the token proves nobody.
	Rate(ctx context.Context, callID, token string, s SurveyAnswer) error
}

// SurveyAnswer is a rating: scores from 1 to 5 and tags of closed sets, by subject. There is no text in it.
type SurveyAnswer struct {
	Ratings map[string]int
	Issues  map[string][]string
}

// CreateSurvey takes the rating of somebody who was in a call.
func (h *handlers) CreateSurvey(ctx context.Context, request openapi.CreateSurveyRequestObject) (openapi.CreateSurveyResponseObject, error) {
	if h.surveys == nil {
		return nil, &Error{Code: CodeMediaUnavailable}
	}
	answer := SurveyAnswer{Ratings: map[string]int{}, Issues: map[string][]string{}}
	in := request.Body
	for subject, score := range map[string]*int{"overall": in.Ratings.Overall, "audio": in.Ratings.Audio, "video": in.Ratings.Video, "screen": in.Ratings.Screen} {
		if score != nil {
			answer.Ratings[subject] = *score
		}
	}
	if in.Issues != nil {
		for subject, tags := range map[string]*openapi.SurveyTags{
			"overall": in.Issues.Overall, "audio": in.Issues.Audio, "video": in.Issues.Video, "screen": in.Issues.Screen,
		} {
			if tags != nil {
				answer.Issues[subject] = *tags
			}
		}
	}
	if err := h.surveys.Rate(ctx, request.CallId, callerOf(ctx).participant, answer); err != nil {
		return nil, runningError(err)
	}
	return openapi.CreateSurvey204Response{}, nil
}
