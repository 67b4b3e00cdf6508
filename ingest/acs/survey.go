package acs

import (
	"strings"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
)

// surveyTags are the tags that the SDK knows, by subject. Applications may send others, with any text: those are dropped.
var surveyTags = map[string]vocabulary{
	"overall": words("CallCannotJoin", "CannotJoin", "CallCannotInvite", "CannotInvite", "HadToRejoin", "CallEndedUnexpectedly",
		"EndedUnexpectedly", "OtherIssues"),
	"audio": words("NoLocalAudio", "NoRemoteAudio", "Echo", "AudioNoise", "LowVolume", "AudioStoppedUnexpectedly",
		"DistortedSpeech", "AudioInterruption", "OtherIssues"),
	"video": words("NoVideoReceived", "NoVideoSent", "LowQuality", "Freezes", "StoppedUnexpectedly", "DarkVideoReceived",
		"AudioVideoOutOfSync", "OtherIssues"),
	"screen": words("NoContentLocal", "NoContentRemote", "CannotPresent", "LowQuality", "Freezes", "StoppedUnexpectedly",
		"LargeDelay", "OtherIssues"),
}

// subjects of a survey in their order, with the prefix of their fields and the field of their tags.
var subjects = []struct{ subject, prefix, issues string }{
	{"overall", "Overall", "OverallCallIssues"},
	{"audio", "Audio", "AudioIssues"},
	{"video", "Video", "VideoIssues"},
	{"screen", "Screenshare", "ScreenshareIssues"},
}

// decodeSurvey makes the answer of one participant. Here the envelope's correlation id is the participant's.
func decodeSurvey(r *record) {
	participant := r.id("ParticipantId")
	if participant == "" {
		participant = r.id("correlationId")
	}
	s := &eventpb.Survey{ParticipantId: r.participantOf(participant)}
	if id := r.id("SurveyId"); id != "" {
		s.SurveyId = r.opt.Pseudonyms.ID(label.Survey, r.call, id)
	}
	for _, about := range subjects {
		rating := r.rating(about.prefix + "RatingScore")
		rating.Subject = about.subject
		rating.Issues = r.tags(about.issues, surveyTags[about.subject])
		if rating.UpperBound != 0 || len(rating.Issues) > 0 {
			s.Ratings = append(s.Ratings, rating)
		}
	}
	r.emit(&eventpb.Event{Payload: &eventpb.Event_Survey{Survey: s}})
}

// rating reads a score with its scale, 1 to 5 where none is given. An upper bound of 0 stands for no score.
func (r *record) rating(score string) *eventpb.Survey_Rating {
	const most = 1000
	whole := func(name string, missing int32) int32 {
		if n := r.count(name, most); n != nil {
			return int32(*n) //nolint:gosec // at most most
		}
		return missing
	}
	value := whole(score, -1)
	rating := &eventpb.Survey_Rating{}
	if value < 0 {
		return rating
	}
	rating.Score = value
	rating.LowerBound, rating.UpperBound = whole(score+"LowerBound", 1), whole(score+"UpperBound", 5)
	rating.Threshold = whole(score+"Threshold", 0)
	switch {
	case rating.UpperBound == 0 || rating.LowerBound > rating.UpperBound:
		r.failField(score+"UpperBound", "must be above 0 and not below the lower bound")
	case value < rating.LowerBound || value > rating.UpperBound:
		r.failField(score, "must lie within its bounds")
	}
	return rating
}

// tags keeps those of the closed set, each once, in their order.
func (r *record) tags(field string, known vocabulary) []string {
	var kept []string
	seen := map[string]bool{}
	for _, tag := range strings.Split(r.text(field), ",") {
		if tag = known.of(strings.TrimSpace(tag)); tag != "" && !seen[tag] {
			seen[tag] = true
			kept = append(kept, tag)
		}
	}
	return kept
}
