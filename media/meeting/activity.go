package meeting

import (
	"encoding/json"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// maxActivityBytes is the length of an activity's data.
const maxActivityBytes = 16 << 10

// maxInvited is how many users one session can have invited.
const maxInvited = 10_000

// activityCapability is what an activity of a kind needs, of who sends it and of who gets it; "" for kinds that don't exist.
func activityCapability(kind string) policy.Capability {
	switch kind {
	case protocol.ActivityReaction:
		return policy.UseReactions
	case protocol.ActivityRaiseHand, protocol.ActivityLowerHand:
		return policy.RaiseHand
	case protocol.ActivityPoll, protocol.ActivityPollVote:
		return policy.UsePolls
	case protocol.ActivityQuestion, protocol.ActivityAnswer:
		return policy.UseQuestionsAnswers
	case protocol.ActivityTogetherMode:
		return policy.TogetherMode
	case protocol.ActivityBreakout:
		return policy.BreakoutRooms
	case protocol.ActivitySlidesLive:
		return policy.SlidesLive
	case protocol.ActivityCaptions:
		return policy.ClosedCaptions
	}
	return ""
}

// activity relays what org users do together to those who may do the same.
func (mb *Member) activity(b protocol.Activity) error {
	m := mb.m
	capability := activityCapability(b.Kind)
	if capability == "" {
		return invalid("kind", "There is no activity of this kind. See the protocol's description.")
	}
	m.lock()
	defer m.unlock()
	if err := mb.useLocked(capability); err != nil {
		return err
	}
	if len(b.Data) > maxActivityBytes {
		return &protocol.Error{Reason: protocol.ReasonTooLarge, Field: "data", Message: "An activity's data has at most 16 KiB."}
	}
	if err := mb.spend(&mb.limits.activity); err != nil {
		return err
	}
	body := protocol.Activity{Kind: b.Kind, ParticipantID: mb.id.String(), Data: b.Data}
	for _, other := range m.admitted {
		if other != mb && other.may(capability) {
			other.send(protocol.TypeActivity, body)
		}
	}
	switch b.Kind {
	case protocol.ActivityRaiseHand, protocol.ActivityLowerHand:
		mb.setHand(b.Kind == protocol.ActivityRaiseHand)
	case protocol.ActivitySlidesLive:
		if running(b.Data) {
			m.slides = mb.id
			for _, other := range m.admitted {
				m.tellSlides(other)
			}
		} else if m.slides == mb.id {
			m.slidesStopped()
		}
	}
	return nil
}

// setHand shows a raised hand in the roster, to those who may raise one. The lock is held.
func (mb *Member) setHand(raised bool) {
	m := mb.m
	if mb.hand == raised {
		return
	}
	mb.hand = raised
	for _, other := range m.admitted {
		if other != mb && other.may(policy.RaiseHand) {
			other.send(protocol.TypeParticipantUpdated, m.line(mb, other))
		}
	}
	name := "LowerHand"
	if raised {
		name = "RaiseHand"
	}
	m.operation(mb, name)
}

// running reads the one thing that the server has to know of a live presentation; it runs unless the data says that it doesn't.
func running(data json.RawMessage) bool {
	var d struct {
		Running *bool `json:"running"`
	}
	return json.Unmarshal(data, &d) != nil || d.Running == nil || *d.Running
}

// tellSlides tells somebody who doesn't get a live presentation that one runs. The lock is held.
func (m *Meeting) tellSlides(mb *Member) {
	if m.slides != uuid.Nil && mb.in() && !mb.may(policy.SlidesLive) {
		mb.send(protocol.TypeSlidesLive, protocol.SlidesLiveHidden{Running: true, Reason: string(mb.grants.grants[policy.SlidesLive].Reason)})
	}
}

// slidesStopped is said when the presentation ended, or its presenter left. The lock is held.
func (m *Meeting) slidesStopped() {
	m.slides = uuid.Nil
	for _, mb := range m.admitted {
		if !mb.may(policy.SlidesLive) {
			mb.send(protocol.TypeSlidesLive, protocol.SlidesLiveHidden{Reason: string(mb.grants.grants[policy.SlidesLive].Reason)})
		}
	}
}

// background is asked before a client applies an effect to its camera.
func (mb *Member) background(b protocol.BackgroundEffect) error {
	m := mb.m
	m.lock()
	defer m.unlock()
	if err := mb.useLocked(policy.BackgroundEffect); err != nil {
		return err
	}
	switch b.Effect {
	case "none", "blur", "image":
	default:
		return invalid("effect", "Say none, blur or image.")
	}
	m.operation(mb, "BackgroundEffect", "effect", b.Effect)
	return nil
}
