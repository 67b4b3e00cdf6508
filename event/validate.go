package event

import (
	"fmt"
	"regexp"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
)

// Limits of the envelope. Times outside are refused rather than stored, since each month of rows is a partition.
const (
	MaxIDLen     = 128
	MaxSourceLen = 160
	MaxStreams   = 4096
)

var (
	minObserved = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	maxObserved = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

	orgPattern    = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)
	regionPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
)

// ValidOrg tells whether s can name an organisation: 1 to 63 of a-z, 0-9, '_', '.', '-', starting with a letter or digit.
func ValidOrg(s string) bool { return orgPattern.MatchString(s) }

// ValidRegion tells whether s can name a region: 1 to 32 of a-z, 0-9, '-', starting with a letter or digit.
func ValidRegion(s string) bool { return regionPattern.MatchString(s) }

// ValidTime tells whether a time in microseconds lies in the years 2000 to 2099.
func ValidTime(us int64) bool { return us >= minObserved && us < maxObserved }

// Validate refuses an event that could not be stored, naming the field. It looks at the envelope and at the sizes
// and times of the payload, never at the clock.
func Validate(e *eventpb.Event) error {
	invalid := func(field, why string) error { return fmt.Errorf("%w: %s %s", ErrInvalid, field, why) }
	switch {
	case e.GetPayload() == nil:
		return invalid("payload", "is missing or of an unknown type")
	case e.Id == "" || len(e.Id) > MaxIDLen:
		return invalid("id", "must have 1 to 128 bytes")
	case !ValidOrg(e.Org):
		return invalid("org", "must be 1 to 63 of a-z, 0-9, '_', '.', '-'")
	case !ValidRegion(e.Region):
		return invalid("region", "must be 1 to 32 of a-z, 0-9, '-'")
	case e.CallId == "" || len(e.CallId) > MaxIDLen:
		return invalid("call_id", "must have 1 to 128 bytes")
	case len(e.MeetingId) > MaxIDLen:
		return invalid("meeting_id", "must have at most 128 bytes")
	case e.Source == "" || len(e.Source) > MaxSourceLen:
		return invalid("source", "must have 1 to 160 bytes")
	case e.Sequence == 0:
		return invalid("sequence", "must be at least 1")
	case !ValidTime(e.ObservedAtUs):
		return invalid("observed_at_us", "must lie in the years 2000 to 2099")
	}
	return validatePayload(e, invalid)
}

func validatePayload(e *eventpb.Event, invalid func(field, why string) error) error {
	optionalTime := func(field string, us int64) error {
		if us != 0 && !ValidTime(us) {
			return invalid(field, "must lie in the years 2000 to 2099")
		}
		return nil
	}
	participant := func(id []byte, required bool) error {
		if len(id) == 16 || (!required && len(id) == 0) {
			return nil
		}
		return invalid("participant_id", "must have 16 bytes")
	}
	switch p := e.Payload.(type) {
	case *eventpb.Event_CallStarted:
		return optionalTime("call_started.started_at_us", p.CallStarted.GetStartedAtUs())
	case *eventpb.Event_CallEnded:
		return optionalTime("call_ended.ended_at_us", p.CallEnded.GetEndedAtUs())
	case *eventpb.Event_ParticipantJoined:
		if err := optionalTime("participant_joined.joined_at_us", p.ParticipantJoined.GetJoinedAtUs()); err != nil {
			return err
		}
		return participant(p.ParticipantJoined.GetParticipantId(), true)
	case *eventpb.Event_ParticipantLeft:
		if err := optionalTime("participant_left.left_at_us", p.ParticipantLeft.GetLeftAtUs()); err != nil {
			return err
		}
		return participant(p.ParticipantLeft.GetParticipantId(), true)
	case *eventpb.Event_StreamReport:
		if len(p.StreamReport.GetStreams()) > MaxStreams {
			return invalid("stream_report.streams", "must have at most 4096 streams")
		}
		for _, s := range p.StreamReport.GetStreams() {
			if len(s.GetStreamId()) != 16 {
				return invalid("stream_report.streams.stream_id", "must have 16 bytes")
			}
		}
		return participant(p.StreamReport.GetParticipantId(), true)
	case *eventpb.Event_StreamEnded:
		if len(p.StreamEnded.GetStreamId()) != 16 {
			return invalid("stream_ended.stream_id", "must have 16 bytes")
		}
		for _, us := range []int64{p.StreamEnded.GetStartedAtUs(), p.StreamEnded.GetEndedAtUs()} {
			if err := optionalTime("stream_ended.started_at_us or ended_at_us", us); err != nil {
				return err
			}
		}
		return participant(p.StreamEnded.GetParticipantId(), true)
	case *eventpb.Event_ClientDiagnostic:
		return participant(p.ClientDiagnostic.GetParticipantId(), false)
	case *eventpb.Event_ClientOperation:
		return participant(p.ClientOperation.GetParticipantId(), false)
	case *eventpb.Event_Survey:
		return participant(p.Survey.GetParticipantId(), false)
	case *eventpb.Event_Recording:
		return optionalTime("recording.started_at_us", p.Recording.GetStartedAtUs())
	case *eventpb.Event_Chat:
		if err := validateChat(p.Chat, invalid); err != nil {
			return err
		}
		return participant(p.Chat.GetParticipantId(), false)
	case *eventpb.Event_Notice:
		return participant(p.Notice.GetParticipantId(), false)
	case *eventpb.Event_Decision:
		return participant(p.Decision.GetParticipantId(), false)
	case *eventpb.Event_ResourceGuest:
		if err := validateGuest(p.ResourceGuest, invalid); err != nil {
			return err
		}
		return participant(p.ResourceGuest.GetParticipantId(), true)
	}
	return nil
}

// validateChat checks what is set of own media only.
func validateChat(c *eventpb.Chat, invalid func(field, why string) error) error {
	if us := c.GetSentAtUs(); us != 0 && !ValidTime(us) {
		return invalid("chat.sent_at_us", "must lie in the years 2000 to 2099")
	}
	for _, one := range c.GetCopies() {
		if !ValidRegion(one.GetRegion()) {
			return invalid("chat.copies.region", "must be 1 to 32 of a-z, 0-9, '-'")
		}
		for _, holder := range one.GetHolders() {
			if len(holder.GetParticipantId()) != 16 {
				return invalid("chat.copies.holders.participant_id", "must have 16 bytes")
			}
			if len(holder.GetResourceId()) > MaxIDLen {
				return invalid("chat.copies.holders.resource_id", "must have at most 128 bytes")
			}
		}
	}
	return nil
}

func validateGuest(g *eventpb.ResourceGuest, invalid func(field, why string) error) error {
	switch {
	case !ValidRegion(g.GetResourceRegion()):
		return invalid("resource_guest.resource_region", "must be 1 to 32 of a-z, 0-9, '-'")
	case g.GetResourceId() == "" || len(g.GetResourceId()) > MaxIDLen:
		return invalid("resource_guest.resource_id", "must have 1 to 128 bytes")
	case len(g.GetMeetingId()) > MaxIDLen:
		return invalid("resource_guest.meeting_id", "must have at most 128 bytes")
	case !ValidTime(g.GetJoinedAtUs()):
		return invalid("resource_guest.joined_at_us", "must lie in the years 2000 to 2099")
	case (len(g.GetSealedUserId()) == 0) != (g.GetSealingKeyId() == ""):
		return invalid("resource_guest.sealed_user_id", "and sealing_key_id go together")
	}
	return nil
}
