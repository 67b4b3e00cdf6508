package meeting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// Reasons of an end, for End and for CallEnded.
const (
	// EndedByUser: an org user ended the meeting, in it or through the API.
	EndedByUser = "meeting_ended"
	// EndedEmpty: the last participant left and nobody came for Config.EmptyTimeout.
	EndedEmpty = "empty"
	// EndedShutdown: the process stops, and hands the session over: nothing of it ends but what this process did for it. Members may resume on
	// another; what nobody takes up again is ended by the recovery after a start, as EndedLost.
	EndedShutdown = protocol.ReasonShuttingDown
	// EndedTaken: another process has taken up the session, so that nothing of it ends here but what this process did for it.
	EndedTaken = "taken_over"
	// EndedLost: the process that ran the session was lost or stopped, and nobody took it up again.
	EndedLost = "node_lost"
)

// ErrResumeExpired: the member is gone for good.
var ErrResumeExpired = errors.New("the member is gone for good")

// Meeting is one session. All methods are safe for concurrent use.
type Meeting struct {
	cfg  Config
	deps Deps
	log  *slog.Logger
	call uuid.UUID
	// orgID and region are the hosting organisation's, meetingID is what this is a session of; they can't change.
	orgID, region, meetingID string
	started                  time.Time
	// revived: another process began the session; tickets older than started may be its.
	revived bool
	room    *forward.Room
	outbox  *outbox
	// ctx ends when all is done; it bounds decisions and retries, never a client's request.
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	done   chan struct{}
	// work counts what must be over before CallEnded: admissions on their way, members taking their leave.
	work sync.WaitGroup

	mu sync.Mutex
	// start is how far the record of the call's start is.
	start start
	// later runs after the lock was released: what may wait for clients' connections or media. Guarded by mu, as all below.
	later []func()
	ended bool
	// endErr is why the end may be forgotten by the next process.
	endErr  error
	facts   Facts
	org     policy.Organization
	meeting policy.Meeting
	// members by id: those who wait and those who are in. waiters is oldest first, admitted in the order of admission.
	members  map[uuid.UUID]*Member
	waiters  []*Member
	admitted []*Member
	// leaving are gone, but their media may not have been closed yet.
	leaving map[*Member]bool
	count   counts
	// admitting seats are taken but not confirmed by Kafka yet.
	admitting  counts
	invited    map[string]bool
	goneBefore map[uuid.UUID]bool
	empty      *time.Timer
	chat       chatLog
	slides     uuid.UUID
	captures   map[captureKind]*capture
	// stopped by the id of a notice of the process of before: the notice that what it announced has stopped.
	stopped    map[uuid.UUID]*notice
	sets       map[policy.Participant]*grantSet
	dirty      dirt
	lobbyTold  time.Time
	lobbyLater bool
}

// counts are of participants who are in, or about to be.
type counts struct{ all, orgUsers, guests, roomDevices int }

func (c *counts) add(mb *Member, n int) {
	c.all += n
	if mb.entrant.OrgUser {
		c.orgUsers += n
	} else {
		c.guests += n
	}
	if mb.roomDevice() {
		c.roomDevices += n
	}
}

// Start opens a session. The call starts, and is recorded, with the first who enters or may wait: a session that refuses everybody leaves
// nothing but the decisions.
func Start(_ context.Context, cfg Config, facts Facts, deps Deps) (*Meeting, error) {
	call, err := uuid.NewV7() // the call's id tells when it began, whoever goes on with it
	if err != nil {
		return nil, fmt.Errorf("make call id: %w", err)
	}
	m, err := open(cfg, facts, deps, call, false)
	if err != nil {
		return nil, err
	}
	m.begin()
	return m, nil
}

// Revive is Start for a session that another process has begun: same call id, no second start.
func Revive(_ context.Context, cfg Config, facts Facts, deps Deps, call uuid.UUID) (*Meeting, error) {
	m, err := open(cfg, facts, deps, call, true)
	if err != nil {
		return nil, err
	}
	m.start = start{tried: true, recorded: true}
	m.begin()
	return m, nil
}

func open(cfg Config, facts Facts, deps Deps, call uuid.UUID, revived bool) (*Meeting, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open a meeting: %w", err)
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Meeting{
		cfg: cfg.withDefaults(), deps: deps, call: call, orgID: facts.Organization.ID, region: facts.Organization.Region,
		meetingID: facts.Meeting.ID, started: time.Now(), revived: revived,
		log: deps.Log.With("call_id", call.String()),
		ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1), done: make(chan struct{}),
		members: map[uuid.UUID]*Member{}, leaving: map[*Member]bool{}, invited: map[string]bool{}, goneBefore: map[uuid.UUID]bool{},
		captures: map[captureKind]*capture{}, stopped: map[uuid.UUID]*notice{}, sets: map[policy.Participant]*grantSet{},
	}
	m.outbox = newOutbox(m)
	m.chat = newChatLog(m.cfg)
	m.setFacts(facts)
	if deps.Forward != nil {
		m.room = deps.Forward.NewRoom(roomEvents{m})
	}
	return m, nil
}

func (m *Meeting) begin() {
	m.lock()
	m.watchEmpty()
	m.unlock()
	go m.run()
}

// Call is the session's id.
func (m *Meeting) Call() uuid.UUID { return m.call }

// Done is closed when the session has ended and all of it is recorded.
func (m *Meeting) Done() <-chan struct{} { return m.done }

func (m *Meeting) lock() { m.mu.Lock() }

// unlock releases the lock and then does what had to wait for that.
func (m *Meeting) unlock() {
	later := m.later
	m.later = nil
	m.mu.Unlock()
	for _, f := range later {
		f()
	}
}

// unlockCallback is unlock for the callbacks of forward, which must not block.
func (m *Meeting) unlockCallback() {
	later := m.later
	m.later = nil
	m.mu.Unlock()
	if len(later) > 0 {
		go func() {
			for _, f := range later {
				f()
			}
		}()
	}
}

func (m *Meeting) after(f func()) { m.later = append(m.later, f) }

// Update applies changed settings at once to everybody.
func (m *Meeting) Update(_ context.Context, facts Facts) {
	m.lock()
	defer m.unlock()
	m.setFacts(facts)
	m.dirty = dirt{grants: true, waiters: true, lobby: true}
	m.settle()
}

// Reconsider asks policy again for everybody who waits, and everybody's capabilities, after a policy was activated.
func (m *Meeting) Reconsider(context.Context) {
	m.lock()
	defer m.unlock()
	m.dirty.grants, m.dirty.waiters = true, true
	m.settle()
}

func (m *Meeting) setFacts(f Facts) {
	m.facts = f
	settings := f.Organization.Settings
	m.org = policy.Organization{
		Kind: f.Organization.Kind, AnonymousJoin: settings.AnonymousJoin == nil || *settings.AnonymousJoin,
		EnforceWebinarRoles: settings.EnforceWebinarRoles, LobbyBypass: policy.Bypass(settings.LobbyBypass),
		Withdrawn: capabilities(settings.WithdrawnCapabilities), RequireConsent: settings.RequireConsent,
	}
	if m.org.Kind == "" {
		m.org.Kind = directory.KindWork
	}
	m.meeting = policy.Meeting{
		Kind: f.Meeting.Kind, OrganizerLobbyBypass: policy.Bypass(f.Organizer.LobbyBypass), LobbyBypass: policy.Bypass(f.Meeting.LobbyBypass),
		Withdrawn: capabilities(f.Meeting.WithdrawnCapabilities), OrganizerWithdrawn: capabilities(f.Organizer.WithdrawnCapabilities),
	}
	if m.meeting.Kind == "" {
		m.meeting.Kind = directory.MeetingScheduled
	}
}

// capabilities is never nil: the input's lists are lists.
func capabilities(names []string) []policy.Capability {
	out := make([]policy.Capability, len(names))
	for i, name := range names {
		out[i] = policy.Capability(name)
	}
	return out
}

// notify tells webhooks: the organisation always, the resource only of a call that its guest started (M12). The lock is held, or not needed yet.
func (m *Meeting) notify(organization, calling string, participant uuid.UUID) {
	if m.deps.Notifier == nil {
		return
	}
	facts, tell := m.facts, m.deps.Notifier.Meeting
	m.after(func() {
		tell(organization, facts, m.call, participant)
		if calling != "" && facts.Meeting.Kind == directory.MeetingGuestCall {
			tell(calling, facts, m.call, participant)
		}
	})
}
