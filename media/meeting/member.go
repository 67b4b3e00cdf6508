package meeting

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// stateNew is the state of a participant who asks for the first time.
const stateNew = "new"

// maxHeld is how many events a client may miss before its join is answered; more than a full roster's worth means that nobody reads.
const maxHeld = 4096

// Member is somebody who joined. All methods are safe for concurrent use.
type Member struct {
	m       *Meeting
	id      uuid.UUID
	entrant Entrant

	// Guarded by m.mu.
	state             string
	admittedByOrgUser bool
	// admitting: an admission is being recorded.
	admitting bool
	// wasIn: the process of before has recorded the join; the stay goes on, even if it begins with a wait here.
	wasIn bool
	// going: it is being written down that the member is gone; nobody takes it up again.
	going  bool
	client Client
	// ready: the reply to join or resume is on its way, so events may follow it; held are those that came before.
	ready     bool
	held      []heldEvent
	since     time.Time
	lobbyTime *time.Timer
	grace     *time.Timer
	grants    *grantSet
	lastJoin  policy.Decision
	hand      bool
	tracks    []forward.Track
	// interop tracks have had their known-issue diagnostic (M11).
	interop map[uuid.UUID]bool
	notices map[uuid.UUID]*noticeState
	// holding is what the process of before recorded or transcribed, until the member was told that it has stopped.
	holding []HeldNotice
	// seen are the messages that the member was allowed to receive when they were sent; seenFiles: as well as files.
	seen, seenFiles spans
	// reoffer: the client that comes back may have lost its connections, too.
	reoffer bool
	// offer is the newest subscribe offer, until it was answered.
	offer  *protocol.SubscribeOffer
	limits limits

	// rated: it has rated the call; set with m.mu held, read without.
	rated atomic.Bool

	// mediaMu orders what is done to the peer; never held together with m.mu, except to take m.mu while holding it.
	mediaMu sync.Mutex
	peer    *forward.Peer       // guarded by mediaMu
	over    bool                // guarded by mediaMu: no peer any more
	taps    map[*capture]func() // guarded by mediaMu
}

type heldEvent struct {
	typ  string
	body any
}

func (m *Meeting) newMember(id uuid.UUID, e Entrant, c Client) *Member {
	return &Member{
		m: m, id: id, entrant: e, client: c, state: stateNew,
		interop: map[uuid.UUID]bool{}, notices: map[uuid.UUID]*noticeState{},
		taps: map[*capture]func(){}, limits: newLimits(),
	}
}

// ID is the participant id.
func (mb *Member) ID() uuid.UUID { return mb.id }

// Kinds of participants, for policy and for clients.
const (
	kindGuest   = "guest"
	kindOrgUser = "org_user"
)

func (mb *Member) kind() string {
	if mb.entrant.OrgUser {
		return kindOrgUser
	}
	return kindGuest
}

func (mb *Member) roomDevice() bool {
	return mb.entrant.OrgUser && mb.entrant.Client.Kind == clientRoomDevice
}

func (mb *Member) waiting() bool {
	return mb.state == protocol.StateWaitingForHost || mb.state == protocol.StateInLobby
}

func (mb *Member) in() bool { return mb.state == protocol.StateAdmitted }

// Ready says that the reply to join or resume has been queued. Until then the meeting holds back the member's events and its media; a
// request of the client says it too.
func (mb *Member) Ready() {
	mb.m.lock()
	mb.setReady()
	mb.m.unlock()
}

func (mb *Member) setReady() {
	if mb.ready || mb.client == nil {
		return
	}
	mb.ready = true
	defer func() { mb.reoffer = false }()
	held := mb.held
	mb.held = nil
	for _, e := range held {
		mb.send(e.typ, e.body)
	}
	if mb.in() {
		mb.noticesTold()
		mb.m.after(mb.syncMedia)
		if mb.reoffer {
			mb.m.after(mb.offerAnew)
		}
	}
}

// send queues an event for the client, if there is one. The lock is held.
func (mb *Member) send(typ string, body any) {
	switch {
	case mb.client == nil:
	case mb.ready:
		mb.client.Send(typ, body)
	case len(mb.held) < maxHeld:
		mb.held = append(mb.held, heldEvent{typ, body})
	default:
		mb.endClient(protocol.Ended{Reason: protocol.ReasonSlowClient, Message: text(protocol.ReasonSlowClient), Resume: true})
		mb.cutOff()
	}
}

// endClient closes the client's connection after the lock was released. Its connection answers the request that it is busy with first.
func (mb *Member) endClient(ended protocol.Ended) {
	if c := mb.client; c != nil {
		mb.m.after(func() { c.End(ended) })
	}
	mb.client, mb.held = nil, nil
}

// Ticket is for the resume token; a Client that is a TicketClient is told when a new one is due.
func (mb *Member) Ticket() Ticket {
	mb.m.lock()
	defer mb.m.unlock()
	t := Ticket{
		Participant: mb.id, Call: mb.m.call, Entrant: mb.entrant, Admitted: mb.in(), AdmittedByOrgUser: mb.admittedByOrgUser,
		Consented: mb.consented(), IssuedAt: time.Now(),
	}
	for id, n := range mb.notices {
		if n.acknowledged || n.consented {
			t.Acknowledged = append(t.Acknowledged, id.String())
		}
	}
	t.Holding = slices.Clone(mb.holding)
	for _, c := range mb.m.captures {
		if c.notice != nil && mb.in() {
			t.Holding = append(t.Holding, HeldNotice{c.notice.id, c.notice.kind})
		}
	}
	return t
}

// ticketChanged tells the client that its resume token is old. The lock is held.
func (mb *Member) ticketChanged() {
	if c, ok := mb.client.(TicketClient); ok && c != nil {
		mb.m.after(c.TicketChanged)
	}
}
