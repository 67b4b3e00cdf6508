package policy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// keepers are organisations' own rules on periods.
type keepers struct {
	// meeting is the base that the rules are compiled over, as organisations' others are.
	meeting *base
	// own by organisation, of those that have a policy of their own. Replaced as a whole, never changed.
	own atomic.Pointer[map[string]*keeper]

	mu        sync.Mutex      // orders replacements of own
	onFailure []func(Failure) // guarded by mu
}

// keeper is one organisation's revision. It never changes.
type keeper struct {
	// rules are asked for shorten; nil if the revision has no such rules.
	rules *snapshot
	id    string
	// refused is why it can't be asked; nil for those that can.
	refused error
}

// Activate makes a revision an organisation's own policy. Where it can't, what held before goes on.
func (r *Retention) Activate(org string, own Revision) error {
	k, err := r.keeperOf(own)
	if err != nil {
		return err
	}
	r.keepers.swap(org, k)
	return nil
}

// Deactivate leaves an organisation with the rules of the house alone.
func (r *Retention) Deactivate(org string) { r.keepers.swap(org, nil) }

// Refuse notes that an organisation's own policy, by its digest, can't be asked. The rules of the house decide alone, and each decision counts as a failure.
func (r *Retention) Refuse(org, digest string, why error) {
	r.keepers.swap(org, &keeper{id: digest, refused: why})
}

// OnFailure has f called after each decision that an organisation's own rules had to be left out of, on the goroutine of whoever asked: it must not block.
func (r *Retention) OnFailure(f func(Failure)) {
	r.keepers.mu.Lock()
	defer r.keepers.mu.Unlock()
	r.onFailure = append(r.onFailure, f)
}

func (k *keepers) swap(org string, with *keeper) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := map[string]*keeper{}
	if old := k.own.Load(); old != nil {
		next = maps.Clone(*old)
	}
	if delete(next, org); with != nil {
		next[org] = with
	}
	k.own.Store(&next)
}

// keeperOf compiles a revision's rules on periods and tries them.
func (r *Retention) keeperOf(own Revision) (*keeper, error) {
	id, err := own.ID()
	if err != nil {
		return nil, err
	}
	modules, _, err := own.parse()
	if err != nil {
		return nil, err
	}
	k := &keeper{id: id}
	if !Shortens(modules) {
		return k, nil
	}
	all := maps.Clone(r.meeting.modules)
	maps.Copy(all, modules)
	data := maps.Clone(r.meeting.data)
	data["organization"] = map[string]any{}
	if own.Data != nil {
		data["organization"] = own.Data
	}
	ctx := context.Background()
	prepare, err := r.meeting.preparer(ctx, all, data)
	if err != nil {
		return nil, err
	}
	k.rules = ownSnapshot(r.snapshot.timeout)
	k.rules.revision = id
	if k.rules.decide, err = prepare("base := data." + KeepPackage + "." + shortenEntry); err != nil {
		return nil, fmt.Errorf("prepare rules on periods: %w", err)
	}
	return k, nil
}

// KeptBy decides for one organisation, at one moment: it doesn't change when another revision is activated.
type KeptBy struct {
	r   *Retention
	org string
	own *keeper // nil: the rules of the house alone
}

// Of is what decides for an organisation now.
func (r *Retention) Of(org string) *KeptBy {
	k := &KeptBy{r: r, org: org}
	if own := r.own.Load(); own != nil {
		k.own = (*own)[org]
	}
	return k
}

// With is what would decide for an organisation by a revision; nil: by the rules of the house alone.
func (r *Retention) With(org string, own *Revision) (*KeptBy, error) {
	k := &KeptBy{r: r, org: org}
	if own == nil {
		return k, nil
	}
	var err error
	k.own, err = r.keeperOf(*own)
	return k, err
}

// Revision names the Rego that decides, as RetentionDecision is stored with it.
func (k *KeptBy) Revision() string {
	if k.own == nil || (k.own.rules == nil && k.own.refused == nil) {
		return k.r.Revision()
	}
	return k.r.Revision() + "+" + k.org + "@" + k.own.id
}

// Shortens tells whether the organisation has rules of its own on periods.
func (k *KeptBy) Shortens() bool { return k.own != nil && k.own.rules != nil }

// Decide answers one question. What goes wrong with the organisation's own rules leaves them out, is told to OnFailure, and never deletes earlier: the rules of
// the house decide then. On an error nothing is decided.
func (k *KeptBy) Decide(ctx context.Context, in RetentionInput) (RetentionDecision, error) {
	d, failure, err := k.Try(ctx, in)
	if err == nil && failure != nil {
		k.r.failed(Failure{Org: k.org, Revision: k.Revision(), Kind: k.kindOf(failure), Own: true, Err: failure})
	}
	return d, err
}

// Try decides as Decide does, and says why the organisation's own rules were left out if they were; nothing is told to OnFailure.
func (k *KeptBy) Try(ctx context.Context, in RetentionInput) (d RetentionDecision, failure, err error) {
	in.Shorten = nil
	if slices.Contains(ShortenClasses(), in.Class) {
		in.Shorten, failure = k.wishes(ctx, in)
		if ctx.Err() != nil {
			return RetentionDecision{}, nil, ctx.Err() // Who asked has gone: that is no failure of the rules.
		}
	}
	d, err = k.r.Decide(ctx, in)
	return d, failure, err
}

func (k *KeptBy) kindOf(err error) FailureKind {
	if k.own.rules == nil {
		return FailedNotLoaded
	}
	return kindOfFailure(k.own.rules, err)
}

// wishes asks the organisation's own rules.
func (k *KeptBy) wishes(ctx context.Context, in RetentionInput) ([]shortening, error) {
	switch {
	case k.own == nil:
		return nil, nil
	case k.own.refused != nil:
		return nil, k.own.refused
	case k.own.rules == nil:
		return nil, nil
	}
	input, err := keptValue(in)
	if err != nil {
		return nil, err
	}
	answer, err := k.own.rules.evalOwn(ctx, &k.own.rules.decide, input)
	if err != nil {
		return nil, err
	}
	list, err := readShortenings(answer.base, in.Class)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Rule = ShortenPrefix + list[i].Rule
	}
	return list, nil
}

func (k *keepers) failed(f Failure) {
	k.mu.Lock()
	hooks := slices.Clone(k.onFailure)
	k.mu.Unlock()
	for _, hook := range hooks {
		hook(f)
	}
}
