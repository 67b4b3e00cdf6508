package meeting

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// input is what policy is asked about a member. The lock is held.
func (m *Meeting) input(mb *Member, action policy.Action, capability policy.Capability) policy.Input {
	meeting := m.meeting
	meeting.Recording, meeting.Transcribing = m.capturing(recording), m.capturing(transcription)
	all := m.count
	all.all += m.admitting.all
	all.orgUsers += m.admitting.orgUsers
	all.guests += m.admitting.guests
	chat := all.all
	if !m.guestsChat() {
		chat = all.orgUsers
	}
	return policy.Input{
		Action: action, Capability: capability, Organization: m.org, Meeting: meeting, Participant: m.participant(mb),
		Session: policy.Session{
			// An org user hosts once it is in; a seat on its way counts for the limits only.
			OrgUsers: m.count.orgUsers, Participants: all.all, ChatMembers: chat, RoomDevice: m.count.roomDevices > 0,
		},
	}
}

// guestsChat tells whether the kind of meeting gives chat to guests; who of them may use it is policy's.
func (m *Meeting) guestsChat() bool { return m.meeting.Kind != "channel" }

func (m *Meeting) participant(mb *Member) policy.Participant {
	p := policy.Participant{
		Kind: mb.kind(), State: mb.state, AdmittedByOrgUser: mb.admittedByOrgUser, RoomDevice: mb.roomDevice(), Consented: mb.consented(),
	}
	if user := mb.entrant.UserID; mb.entrant.OrgUser && user != "" {
		p.Organizer = user == m.facts.Meeting.Organizer
		p.Invited = p.Organizer || m.invited[user] || slices.Contains(m.facts.Meeting.Invited, user)
		p.Presenter = p.Organizer || slices.Contains(m.facts.Meeting.Presenters, user)
	}
	return p
}

// decideJoin asks whether the member may enter. The lock is held.
func (m *Meeting) decideJoin(mb *Member) (policy.Decision, error) {
	in := m.input(mb, policy.ActionJoin, "")
	d := m.deps.Decider.Decide(m.ctx, m.facts.Organization.ID, in)
	return d, m.noteJoin(mb, in, d)
}

// noteJoin records an answer to a join, unless it is the member's last one again.
func (m *Meeting) noteJoin(mb *Member, in policy.Input, d policy.Decision) error {
	last := mb.lastJoin
	if last.Effect != "" && last.Effect == d.Effect && last.Revision == d.Revision && slices.Equal(last.Reasons, d.Reasons) {
		return nil
	}
	if !m.noteDecision(mb, in, d) {
		return refusal(protocol.ReasonUnavailable)
	}
	mb.lastJoin = d
	return nil
}

// noteDecision hands a decision's event over; false: the queue is full, and what was asked must be refused.
func (m *Meeting) noteDecision(mb *Member, in policy.Input, d policy.Decision) bool {
	canonical, err := canonicalJSON(in)
	if err != nil {
		m.log.ErrorContext(m.ctx, "decision input can't be encoded", "error", err)
		return false
	}
	id := uuid.New()
	reasons := make([]string, len(d.Reasons))
	for i, r := range d.Reasons {
		reasons[i] = string(r)
	}
	action := string(in.Action)
	if in.Capability != "" {
		action += ":" + string(in.Capability)
	}
	effect := d.Effect
	if effect == "" {
		effect = policy.Deny
	}
	e := m.event(time.Now())
	e.MeetingId = m.meetingID
	e.Payload = &eventpb.Event_Decision{Decision: &eventpb.Decision{
		ParticipantId: mb.id[:], DecisionId: id[:], Action: action, Effect: string(effect), Reasons: reasons,
		PolicyRevision: d.Revision, EvaluationNs: d.Took.Nanoseconds(), Input: canonical, Rules: d.Rules, Error: string(d.Error),
	}}
	return m.deps.Recorder.Offer(e)
}

// canonicalJSON is RFC 8785 for what an input has: objects with their keys sorted, ASCII text, booleans and small integers.
func canonicalJSON(in policy.Input) ([]byte, error) {
	plain, err := json.Marshal(in)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was about
	}
	var tree any
	if err := json.Unmarshal(plain, &tree); err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	return json.Marshal(tree) //nolint:wrapcheck // as above
}

// use asks whether the member may use a capability now, and fails with the reason if not.
func (mb *Member) use(capability policy.Capability) error {
	mb.m.lock()
	defer mb.m.unlock()
	return mb.useLocked(capability)
}

func (mb *Member) useLocked(capability policy.Capability) error {
	_, err := mb.decideUse(capability)
	return err
}

// decideUse is useLocked with the decision. The lock is held.
func (mb *Member) decideUse(capability policy.Capability) (policy.Decision, error) {
	m := mb.m
	in := m.input(mb, policy.ActionUse, capability)
	d := m.deps.Decider.Decide(m.ctx, m.facts.Organization.ID, in)
	if !m.noteDecision(mb, in, d) {
		return d, refusal(protocol.ReasonUnavailable)
	}
	if !d.Allowed() {
		reason := string(d.Reason())
		if reason == "" {
			reason = string(policy.PolicyFailed)
		}
		return d, refusal(reason)
	}
	return d, mb.mustBeIn() // whatever a policy says, who is outside does nothing
}

func (mb *Member) mustBeIn() error {
	switch {
	case mb.in():
		return nil
	case mb.state == protocol.StateGone:
		return refusal(protocol.ReasonNotInMeeting)
	}
	return refusal(protocol.ReasonNotAdmitted)
}

// refusal is the error of a reason, with its text.
func refusal(reason string) error {
	if reason == "" {
		reason = string(policy.PolicyFailed)
	}
	return &protocol.Error{Reason: reason, Message: text(reason)}
}

func invalid(field, message string) error {
	return &protocol.Error{Reason: protocol.ReasonInvalidField, Message: message, Field: field}
}

// reasonOf is the reason of a refusal; "" for other errors.
func reasonOf(err error) string {
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}
