package api

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rated remembers what was rated.
type rated struct {
	call, token string
	answer      SurveyAnswer
}

func (r *rated) Rate(_ context.Context, call, token string, s SurveyAnswer) error {
	if token != "good" {
		return ErrNotInMeeting
	}
	*r = rated{call, token, s}
	return nil
}

// Who was in a call rates it by its own token. There is no place for text.
func TestSurveys(t *testing.T) {
	taken := &rated{}
	s := start(t, func(_ *Config, deps *Deps) { deps.Surveys = taken })
	send := func(status int, token string, body object) answer {
		t.Helper()
		header := []string{}
		if token != "" {
			header = []string{ParticipantTokenHeader, token}
		}
		return s.send(status, "", http.MethodPost, surveyRoute, "/v1/calls/call-1/survey", body, header...)
	}
	send(204, "good", object{"ratings": object{"overall": 2, "audio": 1}, "issues": object{"audio": []string{"NoLocalAudio"}}})
	want := rated{"call-1", "good", SurveyAnswer{Ratings: map[string]int{"overall": 2, "audio": 1}, Issues: map[string][]string{"audio": {"NoLocalAudio"}}}}
	if diff := cmp.Diff(want, *taken, cmp.AllowUnexported(rated{})); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	if code, _ := s.problem(send(403, "bad", object{"ratings": object{"overall": 2}})); code != "not_in_meeting" {
		t.Errorf("somebody else's token: %s", code)
	}
	send(401, "", object{"ratings": object{"overall": 2}})
	for _, bad := range []object{
		{}, {"ratings": object{}}, {"ratings": object{"overall": 6}}, {"ratings": object{"mood": 1}}, {"ratings": object{"overall": 1}, "comment": "It was Greta's fault"},
	} {
		send(422, "good", bad)
	}
	unset := start(t, nil)
	if code, _ := unset.problem(unset.send(503, "", http.MethodPost, surveyRoute, "/v1/calls/call-1/survey", object{"ratings": object{"overall": 2}}, ParticipantTokenHeader, "good")); code != "media_unavailable" {
		t.Errorf("where no meetings run: %s", code)
	}
}
