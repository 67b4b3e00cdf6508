package store

import (
	"time"

	"github.com/google/uuid"
)

// Who decided, as the table decisions has it.
const (
	DecidedByMedia = "media"
	DecidedByAgent = "opa"
)

// DecisionInput is what policy decided, and on what.
type DecisionInput struct {
	KeptIn
	DecisionID    uuid.UUID
	ParticipantID uuid.UUID
	Action        string
	Effect        string
	Reasons       []string
	// Rules that spoke, by the ids of their metadata.
	Rules    []string
	Revision string
	// Took is how long it took to decide.
	Took time.Duration
	// Error is why no policy answered; empty if one did.
	Error string
	// Source is DecidedByMedia or DecidedByAgent.
	Source string
	// Input is canonical JSON.
	Input string
	At    time.Time
	// SentAt is that of the thing of class decision which it is a part of.
	SentAt time.Time
}

// DecisionRows are rows of the table decisions.
type DecisionRows struct {
	Rows
	in            keptIn
	decisionID    vec[uuid.UUID]
	participantID vec[uuid.UUID]
	action        vec[string]
	effect        vec[string]
	reasons       vec[[]string]
	rules         vec[[]string]
	revision      vec[string]
	took          vec[int64]
	failed        vec[string]
	source        vec[string]
	input         vec[string]
	at            vec[time.Time]
	sentAt        vec[time.Time]
}

func (r *DecisionRows) setUp() {
	r.decisionID.name, r.participantID.name, r.action.name, r.effect.name = "decision_id", "participant_id", "action", "effect"
	r.reasons.name, r.revision.name, r.input.name, r.at.name, r.sentAt.name = "reasons", "revision", "input", "at", "sent_at"
	r.rules.name, r.took.name, r.failed.name, r.source.name = "rules", "evaluation_ns", "error", "source"
	r.init("decisions", &r.sentAt, append(r.in.init(), &r.decisionID, &r.participantID, &r.action, &r.effect, &r.reasons, &r.rules, &r.revision, &r.took,
		&r.failed, &r.source, &r.input, &r.at, &r.sentAt)...)
}

// Add adds the row of a decision.
func (r *DecisionRows) Add(o Origin, d DecisionInput) {
	r.begin(o)
	r.in.add(d.KeptIn)
	r.decisionID.add(d.DecisionID)
	r.participantID.add(d.ParticipantID)
	r.action.add(d.Action)
	r.effect.add(d.Effect)
	r.reasons.add(d.Reasons)
	r.rules.add(d.Rules)
	r.revision.add(d.Revision)
	r.took.add(d.Took.Nanoseconds())
	r.failed.add(d.Error)
	r.source.add(d.Source)
	r.input.add(d.Input)
	r.at.add(d.At)
	r.sentAt.add(d.SentAt)
}
