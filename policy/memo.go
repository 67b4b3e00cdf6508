package policy

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
)

// question is an input as a key: all of an Input that a policy can tell from others, in a form that can be compared.
type question struct {
	action     Action
	capability Capability

	organizationKind, meetingKind, participantKind, state string
	bypass, organizerBypass, meetingBypass                Bypass
	// Lists, written one after the other.
	withdrawn, meetingWithdrawn, organizerWithdrawn string

	anonymousJoin, enforceWebinarRoles, requireConsent, recording, transcribing     bool
	admittedByOrgUser, organizer, invited, presenter, roomDevice, consented, inCall bool

	// Places on scales.
	orgUsers, participants, chatMembers int
}

// long tells of a question that is too long to be remembered: there are no more capabilities than fit in.
func (q *question) long() bool {
	const most = 2048
	return len(q.withdrawn)+len(q.meetingWithdrawn)+len(q.organizerWithdrawn) > most
}

func (s *scales) questionOf(in *Input) question {
	return question{
		action: in.Action, capability: in.Capability,
		organizationKind: in.Organization.Kind, meetingKind: in.Meeting.Kind, participantKind: in.Participant.Kind, state: in.Participant.State,
		bypass: in.Organization.LobbyBypass, organizerBypass: in.Meeting.OrganizerLobbyBypass, meetingBypass: in.Meeting.LobbyBypass,
		withdrawn: inOne(in.Organization.Withdrawn), meetingWithdrawn: inOne(in.Meeting.Withdrawn), organizerWithdrawn: inOne(in.Meeting.OrganizerWithdrawn),
		anonymousJoin: in.Organization.AnonymousJoin, enforceWebinarRoles: in.Organization.EnforceWebinarRoles, requireConsent: in.Organization.RequireConsent,
		recording: in.Meeting.Recording, transcribing: in.Meeting.Transcribing,
		admittedByOrgUser: in.Participant.AdmittedByOrgUser, organizer: in.Participant.Organizer, invited: in.Participant.Invited,
		presenter: in.Participant.Presenter, roomDevice: in.Participant.RoomDevice, consented: in.Participant.Consented, inCall: in.Session.RoomDevice,
		orgUsers: s.orgUsers.place(in.Session.OrgUsers), participants: s.participants.place(in.Session.Participants),
		chatMembers: s.chatMembers.place(in.Session.ChatMembers),
	}
}

// inOne is a list as text that no other list has: each element after its length.
func inOne(list []Capability) string {
	if len(list) == 0 {
		return ""
	}
	var text []byte
	for _, c := range list {
		text = append(binary.AppendUvarint(text, uint64(len(c))), c...)
	}
	return string(text)
}

const (
	memoShards = 16
	// memoEntries is how many answers a shard remembers; a full one forgets all.
	memoEntries = 256
)

// memo remembers what a snapshot answered. A decision depends on its input alone and a snapshot never changes, so that the answer would be the same; in a
// large meeting the same is asked for everybody whenever something changes, and what changes most is how many there are, which most rules only compare with a
// limit (scales). Failures are not remembered. A lock is held for the look into a map.
type memo[T any] struct {
	scales *scales
	seed   maphash.Seed
	shards [memoShards]struct {
		mu    sync.RWMutex
		known map[question]T // guarded by mu
	}
}

func newMemo[T any](s *scales) *memo[T] { return &memo[T]{scales: s, seed: maphash.MakeSeed()} }

// answer is what was answered before, or what ask answers now.
func (m *memo[T]) answer(in *Input, ask func() (T, error)) (T, error) {
	q := m.scales.questionOf(in)
	if q.long() {
		return ask()
	}
	shard := &m.shards[maphash.Comparable(m.seed, q)%memoShards]
	shard.mu.RLock()
	known, ok := shard.known[q]
	shard.mu.RUnlock()
	if ok {
		return known, nil
	}
	found, err := ask()
	if err != nil {
		return found, err
	}
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.known == nil || len(shard.known) >= memoEntries {
		shard.known = make(map[question]T)
	}
	shard.known[q] = found
	return found, nil
}
