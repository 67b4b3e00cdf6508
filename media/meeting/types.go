package meeting

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// Client is the far end of one member's connection.
type Client interface {
	// Send queues an event. It never blocks: a client whose queue is full is cut with slow_client.
	Send(typ string, body any)
	// End sends what is queued, then the event "ended", and closes the connection.
	End(ended protocol.Ended)
}

// Decider is policy. Both fail closed by themselves.
type Decider interface {
	Decide(ctx context.Context, org string, in policy.Input) policy.Decision
	// Grants are all capabilities of the input's participant; the input's Action and Capability are ignored.
	Grants(ctx context.Context, org string, in policy.Input) policy.Grants
}

// Recorder takes events. The meeting fills org, region, call, time and payload; the recorder the rest.
type Recorder interface {
	// Record returns when Kafka has acknowledged the event, or with an error that says that it may be lost.
	Record(ctx context.Context, e *eventpb.Event) error
	// Offer takes an event without waiting. Samples push out the oldest sample when the queue is full; for all others false means that it was
	// not taken.
	Offer(e *eventpb.Event) bool
}

// Facts are what the meeting's control rows say; they may change while it runs.
type Facts struct {
	Organization directory.Organization
	Meeting      directory.Meeting
	// Organizer's row; its zero value when there is none.
	Organizer directory.User
}

// Entrant is who wants in, proven by identity.
type Entrant struct {
	// OrgUser: of the hosting organisation. UserID and the name are set for org users; Resource and Region for guests.
	OrgUser  bool
	UserID   string
	Resource string
	// Region of the guest's resource when it joined: its copies of chat are there for as long as it stays.
	Region string
	// GuestID is what the resource calls its guest: for the resource's own log, and nothing else. It leaves the process sealed only. "" for guests of the
	// shipped join page.
	GuestID string
	// DisplayName of an org user is the issuer's, of a guest what its application set, checked.
	DisplayName string
	Client      protocol.ClientInfo
	// Network that an org user came from, as "192.0.2.0/24"; empty for guests.
	Network string
}

// Ticket is what a resume token carries, so that a member survives the loss of its connection or of the node.
type Ticket struct {
	Participant uuid.UUID
	Call        uuid.UUID
	Entrant     Entrant
	// AdmittedByOrgUser: an org user let the member in; Admitted: it was in.
	Admitted          bool
	AdmittedByOrgUser bool
	// Notices that were acknowledged or consented to.
	Acknowledged []string
	Consented    bool
	// Holding are the notices of what was recorded or transcribed when the ticket was issued. It ends with the process that did it.
	Holding  []HeldNotice
	IssuedAt time.Time
}

// HeldNotice is a notice that something is recorded or transcribed, as a ticket has it.
type HeldNotice struct {
	ID   uuid.UUID
	Kind string
}
