package policy

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Decide answers one question for a participant of an organisation's meeting. It fails closed: whatever goes wrong is Deny with
// PolicyFailed, and an error in the log.
func (e *Engine) Decide(ctx context.Context, org string, in Input) Decision {
	started := time.Now()
	s := e.snapshot(org)
	j, err := e.remembered(ctx, s, &in)
	d := j.decision
	if err != nil {
		e.failed(ctx, org, s, err)
		e.blame(ctx, org, s, err, func(base *snapshot) error { _, err := e.decide(ctx, base, &in); return err })
		d = Decision{Effect: Deny, Reasons: []Reason{PolicyFailed}, Error: kindOfFailure(s, err)}
	}
	d.Revision = s.revision
	d.Took = time.Since(started)
	return d
}

// Grants answers for all capabilities of a participant in one evaluation; the input's Action and Capability are ignored. It fails closed
// like Decide: every capability is refused with PolicyFailed.
func (e *Engine) Grants(ctx context.Context, org string, in Input) Grants {
	s := e.snapshot(org)
	in.Action, in.Capability = ActionUse, ""
	grants, err := e.rememberedGrants(ctx, s, &in)
	if err != nil {
		e.failed(ctx, org, s, err)
		e.blame(ctx, org, s, err, func(base *snapshot) error { _, err := e.grantsOf(ctx, base, &in); return err })
		grants = make(Grants, len(Capabilities()))
		for _, capability := range Capabilities() {
			grants[capability] = Grant{Reason: PolicyFailed}
		}
	}
	return grants
}

// judged is a decision, and the refusals that it is made of, the most important first.
type judged struct {
	decision Decision
	refusals []refusal
}

// remembered is the decision that was made on the same input, or on one that the policy can't tell from it, or that is made now.
func (e *Engine) remembered(ctx context.Context, s *snapshot, in *Input) (judged, error) {
	ask := func() (j judged, err error) {
		j.decision, j.refusals, err = e.judge(ctx, s, in)
		return j, err
	}
	if s.decisions == nil {
		return ask()
	}
	j, err := s.decisions.answer(in, ask)
	// Whoever appends to a list has it to himself.
	d := &j.decision
	d.Reasons, d.Rules, d.Obligations = slices.Clip(d.Reasons), slices.Clip(d.Rules), slices.Clip(d.Obligations)
	return j, err
}

func (e *Engine) rememberedGrants(ctx context.Context, s *snapshot, in *Input) (Grants, error) {
	if s.allGrants == nil {
		return e.grantsOf(ctx, s, in)
	}
	grants, err := s.allGrants.answer(in, func() (Grants, error) { return e.grantsOf(ctx, s, in) })
	return maps.Clone(grants), err
}

// failed says that a policy could not decide, without the input.
func (e *Engine) failed(ctx context.Context, org string, s *snapshot, err error) {
	e.log.ErrorContext(ctx, "policy failed, denied",
		slog.String("organization", org), slog.String("revision", s.revision), slog.String("error", err.Error()))
}

func (e *Engine) decide(ctx context.Context, s *snapshot, in *Input) (Decision, error) {
	d, _, err := e.judge(ctx, s, in)
	return d, err
}

// judge is the decision and the refusals that it is made of, the most important first.
func (e *Engine) judge(ctx context.Context, s *snapshot, in *Input) (Decision, []refusal, error) {
	answer, err := s.ask(ctx, &e.keys, &s.decide, in)
	if err != nil {
		return Decision{}, nil, err
	}
	g, err := readGround(answer.base)
	if err != nil {
		return Decision{}, nil, err
	}
	o, err := readOwn(answer.own)
	if err != nil {
		return Decision{}, nil, err
	}
	if g.effect != Allow && len(g.refusals) == 0 {
		return Decision{}, nil, errNoReason
	}
	effect, refusals := e.join(g, o)
	if in.Action == ActionUse {
		effect, refusals = e.use(in.Capability, g, o)
	}
	d := Decision{Effect: effect}
	if effect == Allow {
		d.Obligations = g.obligations
		return d, nil, nil
	}
	e.base.sortRefusals(refusals)
	for i, r := range refusals {
		if i == 0 || r.reason != refusals[i-1].reason {
			d.Reasons = append(d.Reasons, r.reason)
		}
		if r.rule != "" {
			d.Rules = append(d.Rules, r.rule)
		}
	}
	return d, refusals, nil
}

// join merges what base and organisation say of entering: deny beats lobby, lobby beats allow, and the reasons are those of what won.
func (e *Engine) join(g ground, o own) (Effect, []refusal) {
	var deny, lobby []refusal
	switch g.effect {
	case Deny:
		deny = g.refusals
	case Lobby:
		lobby = g.refusals
	}
	deny, lobby = append(deny, o.deny...), append(lobby, o.lobby...)
	switch {
	case len(deny) > 0:
		return Deny, deny
	case len(lobby) > 0:
		return Lobby, lobby
	default:
		return Allow, nil
	}
}

// use merges what they say of a capability. A grant reaches the base's refusals only; the organisation's own stand.
func (e *Engine) use(capability Capability, g ground, o own) (Effect, []refusal) {
	refusals := append(lifted(capability, g.refusals, e.grantable, o.grant), o.withhold[capability]...)
	if len(refusals) > 0 {
		return Deny, refusals
	}
	return Allow, nil
}

func (e *Engine) grantsOf(ctx context.Context, s *snapshot, in *Input) (Grants, error) {
	ask := *in
	ask.Action, ask.Capability = ActionUse, ""
	answer, err := s.ask(ctx, &e.keys, &s.grants, &ask)
	if err != nil {
		return nil, err
	}
	withhold, err := readWithhold(answer.base)
	if err != nil {
		return nil, err
	}
	o, err := readOwn(answer.own)
	if err != nil {
		return nil, err
	}
	all := Capabilities()
	grants := make(Grants, len(all))
	for _, capability := range all {
		refusals := append(lifted(capability, withhold[capability], e.grantable, o.grant), o.withhold[capability]...)
		if len(refusals) == 0 {
			grants[capability] = Grant{Allowed: true}
			continue
		}
		e.base.sortRefusals(refusals)
		grants[capability] = Grant{Reason: refusals[0].reason}
	}
	return grants, nil
}
