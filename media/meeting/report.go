package meeting

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// maxStatsTracks bounds one batch of statistics.
const maxStatsTracks = 512

// diagnosticNames are the user-facing diagnostics of a lane. Names follow the published log reference, as package quality has them; docs/protocol.md
// lists them.
func diagnosticNames(lane eventpb.Lane) []string {
	switch lane {
	case eventpb.Lane_LANE_NETWORK:
		return []string{"noNetwork", "networkRelaysNotReachable", "networkReconnect", "networkReceiveQuality", "networkSendQuality"}
	case eventpb.Lane_LANE_AUDIO:
		return []string{
			"noSpeakerDevicesEnumerated", "speakingWhileMicrophoneIsMuted", "noMicrophoneDevicesEnumerated", "microphoneNotFunctioning",
			"microphoneMuteUnexpectedly", "microphonePermissionDenied", "speakerVolumeIsZero", "speakerMuted", "speakerNotFunctioning",
			"speakerNotFunctioningDeviceInUse", "microphoneNotFunctioningDeviceInUse",
		}
	case eventpb.Lane_LANE_VIDEO:
		return []string{"cameraFreeze", "cameraStartFailed", "cameraStartTimedOut", "cameraPermissionDenied", "cameraStoppedUnexpectedly"}
	case eventpb.Lane_LANE_SCREEN:
		return []string{"screenshareRecordingDisabled", "capturerStartFailed", "capturerStoppedUnexpectedly"}
	}
	return nil
}

// diagnosticLanes are those that have diagnostics.
func diagnosticLanes() []eventpb.Lane {
	return []eventpb.Lane{eventpb.Lane_LANE_NETWORK, eventpb.Lane_LANE_AUDIO, eventpb.Lane_LANE_VIDEO, eventpb.Lane_LANE_SCREEN}
}

// diagnosticLane is the lane of a user-facing diagnostic; LANE_UNSPECIFIED for names that don't exist.
func diagnosticLane(name string) eventpb.Lane {
	for _, lane := range diagnosticLanes() {
		if slices.Contains(diagnosticNames(lane), name) {
			return lane
		}
	}
	return eventpb.Lane_LANE_UNSPECIFIED
}

// clientDiagnostic takes something that the user could notice.
func (mb *Member) clientDiagnostic(b protocol.Diagnostic) error {
	m := mb.m
	lane := diagnosticLane(b.Name)
	if lane == eventpb.Lane_LANE_UNSPECIFIED {
		return invalid("name", "There is no diagnostic of this name. See the protocol's description.")
	}
	if !slices.Contains([]string{"Good", "Poor", "Bad", "True", "False"}, b.Value) {
		return invalid("value", "Say Good, Poor, Bad, True or False.")
	}
	m.lock()
	defer m.unlock()
	if err := mb.mustBeIn(); err != nil {
		return err
	}
	if err := mb.spend(&mb.limits.diagnostic); err != nil {
		return err
	}
	if !m.diagnostic(mb, b.Name, b.Value, lane) {
		return refusal(protocol.ReasonUnavailable)
	}
	return nil
}

// stats adds what the client measured itself to what the server measures.
func (mb *Member) stats(b protocol.Stats) error {
	if len(b.Tracks) > maxStatsTracks {
		return invalid("tracks", "Send at most 512 tracks at once.")
	}
	mb.m.lock()
	err := mb.mustBeIn()
	if err == nil {
		err = mb.spend(&mb.limits.stats)
	}
	mb.m.unlock()
	if err != nil {
		return err
	}
	for _, t := range b.Tracks {
		if _, err := parseID("tracks.track_id", t.TrackID); err != nil {
			return err
		}
		switch {
		case t.Direction != "send" && t.Direction != "receive":
			return invalid("tracks.direction", "Say send or receive.")
		case t.IntervalMs <= 0 || t.IntervalMs > 3_600_000:
			return invalid("tracks.interval_ms", "Give the length of the interval in milliseconds, at most an hour.")
		case t.HealedRatio != nil && (*t.HealedRatio < 0 || *t.HealedRatio > 1):
			return invalid("tracks.healed_ratio", "Give a number from 0 to 1.")
		case negative(t.JitterBufferMs, t.FrameRate, t.FrameHeight, t.FreezeMs, t.AvailableBitrate):
			return invalid("tracks", "Give figures that are not negative.")
		}
	}
	peer, err := mb.livePeer()
	if err != nil {
		return err
	}
	peer.ClientStats(b.Tracks)
	return nil
}

func negative(figures ...*float64) bool {
	return slices.ContainsFunc(figures, func(f *float64) bool { return f != nil && *f < 0 })
}

// surveyIssues are the tags of a subject's closed set, as the reference SDK has them; nil for subjects that don't exist.
func surveyIssues(subject string) []string {
	switch subject {
	case "overall":
		return []string{"CallCannotJoin", "CallCannotInvite", "HadToRejoin", "CallEndedUnexpectedly", "OtherIssues"}
	case "audio":
		return []string{
			"NoLocalAudio", "NoRemoteAudio", "Echo", "AudioNoise", "LowVolume", "AudioStoppedUnexpectedly", "DistortedSpeech",
			"AudioInterruption", "OtherIssues",
		}
	case "video":
		return []string{
			"NoVideoReceived", "NoVideoSent", "LowQuality", "Freezes", "StoppedUnexpectedly", "DarkVideoReceived", "AudioVideoOutOfSync", "OtherIssues",
		}
	case "screen":
		return []string{
			"NoContentLocal", "NoContentRemote", "CannotPresent", "LowQuality", "Freezes", "StoppedUnexpectedly", "LargeDelay", "OtherIssues",
		}
	}
	return nil
}

// Rate takes one rating of the call per member.
func (mb *Member) Rate(b protocol.Survey) error {
	ratings, err := surveyRatings(b)
	if err != nil {
		return err
	}
	m := mb.m
	m.lock()
	defer m.unlock()
	if err := mb.mustBeIn(); err != nil {
		return err
	}
	if mb.rated.Load() {
		return refusal(protocol.ReasonRateLimited)
	}
	id := uuid.New()
	e := m.event(time.Now())
	e.Payload = &eventpb.Event_Survey{Survey: &eventpb.Survey{ParticipantId: mb.id[:], SurveyId: id[:], Ratings: ratings}}
	if !m.deps.Recorder.Offer(e) {
		return refusal(protocol.ReasonUnavailable)
	}
	mb.rated.Store(true)
	return nil
}

// Rated tells whether the member has rated the call.
func (mb *Member) Rated() bool { return mb.rated.Load() }

// RatingEvent is the rating of somebody who has left a call.
func RatingEvent(facts Facts, call, participant uuid.UUID, b protocol.Survey) (*eventpb.Event, error) {
	ratings, err := surveyRatings(b)
	if err != nil {
		return nil, err
	}
	id := uuid.New()
	return &eventpb.Event{
		Org: facts.Organization.ID, Region: facts.Organization.Region, CallId: call.String(), ObservedAtUs: time.Now().UnixMicro(),
		SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA,
		Payload:    &eventpb.Event_Survey{Survey: &eventpb.Survey{ParticipantId: participant[:], SurveyId: id[:], Ratings: ratings}},
	}, nil
}

func surveyRatings(b protocol.Survey) ([]*eventpb.Survey_Rating, error) {
	var ratings []*eventpb.Survey_Rating
	for _, subject := range []string{"overall", "audio", "video", "screen"} {
		score, rated := b.Ratings[subject]
		if !rated {
			continue
		}
		if score < 1 || score > 5 {
			return nil, invalid("ratings."+subject, "Rate from 1 to 5.")
		}
		ratings = append(ratings, &eventpb.Survey_Rating{
			Subject: subject, Score: int32(score), LowerBound: 1, UpperBound: 5, Threshold: 5,
		})
	}
	if len(ratings) == 0 || len(ratings) != len(b.Ratings) {
		return nil, invalid("ratings", "Rate at least one of overall, audio, video and screen, and nothing else.")
	}
	for subject, tags := range b.Issues {
		i := slices.IndexFunc(ratings, func(r *eventpb.Survey_Rating) bool { return r.Subject == subject })
		if i < 0 || len(tags) > 16 {
			return nil, invalid("issues", "Name at most 16 issues each, of subjects that are rated.")
		}
		for _, tag := range tags {
			if !slices.Contains(surveyIssues(subject), tag) {
				return nil, invalid("issues."+subject, "This is not one of the issues of this subject. See the protocol's description.")
			}
		}
		ratings[i].Issues = tags
	}
	return ratings, nil
}
