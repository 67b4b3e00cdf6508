package retention

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/store"
)

// checkPolicy holds a policy that is to follow version ifVersion against what there is, and returns the one before. Fields that the directory checks by
// itself are its own.
func (r *Rulebook) checkPolicy(ctx context.Context, p directory.RetentionPolicy, ifVersion uint64) (old directory.RetentionPolicy, err error) {
	p = p.WithDefaults()
	if err := p.Validate(); err != nil {
		return old, err //nolint:wrapcheck // the fields are what is asked for
	}
	if ifVersion > 0 {
		row, err := r.deps.Directory.RetentionPolicies.Get(ctx, p.Org, p.ID)
		if err != nil {
			return old, err //nolint:wrapcheck // the registry says what it did
		}
		old = row.Value
	}
	if old.Locked {
		if err := p.Grows(old); err != nil {
			return old, err //nolint:wrapcheck // the fields are what is asked for
		}
	}
	return old, errors.Join(r.checkScope(ctx, p, old.Scope), r.checkLock(ctx, p, old))
}

// checkScope refuses users and groups that nobody knows. Those that the old scope named may have gone since.
func (r *Rulebook) checkScope(ctx context.Context, p directory.RetentionPolicy, old directory.RetentionScope) error {
	var errs []error
	for _, list := range []struct {
		field    string
		now, old *directory.Members
	}{{"scope.include", p.Scope.Include, old.Include}, {"scope.exclude", p.Scope.Exclude, old.Exclude}} {
		if list.now == nil {
			continue
		}
		before := directory.Members{}
		if list.old != nil {
			before = *list.old
		}
		for i, user := range list.now.Users {
			if known, err := r.knowsUser(ctx, p.Org, user, before.Users); err != nil {
				return err
			} else if !known {
				errs = append(errs, unknown(fmt.Sprintf("%s.users[%d]", list.field, i), "user"))
			}
		}
		for i, group := range list.now.Groups {
			if known, err := r.knowsGroup(ctx, p.Org, group, before.Groups); err != nil {
				return err
			} else if !known {
				errs = append(errs, unknown(fmt.Sprintf("%s.groups[%d]", list.field, i), "group"))
			}
		}
	}
	return errors.Join(errs...)
}

func unknown(field, what string) error {
	return &directory.FieldError{Field: field, Reason: "names no " + what + " that the organisation has"}
}

// knowsUser tells whether somebody is in the directory, or was ever in a meeting: who signs in through the issuer needs no row.
func (r *Rulebook) knowsUser(ctx context.Context, org, id string, before []string) (bool, error) {
	if _, ok := r.deps.Directory.Users.Find(org, id); ok || slices.Contains(before, id) {
		return true, nil
	}
	_, err := r.deps.Directory.Users.Get(ctx, org, id)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return err == nil, err //nolint:wrapcheck // the registry says what it did
	}
	meetings, err := r.deps.Home.MeetingsOfUsers(ctx, org, []string{id})
	return len(meetings) > 0, err //nolint:wrapcheck // the store says what it did
}

// knowsGroup tells whether any user is in a group.
func (r *Rulebook) knowsGroup(ctx context.Context, org, id string, before []string) (bool, error) {
	in := func() bool {
		return slices.ContainsFunc(r.deps.Directory.Users.Of(org), func(u directory.Versioned[directory.User]) bool {
			return slices.Contains(u.Value.Groups, id)
		})
	}
	if slices.Contains(before, id) || in() {
		return true, nil
	}
	// It may have been made a moment ago, by another process.
	if err := r.deps.Directory.Users.Refresh(ctx); err != nil {
		return false, err //nolint:wrapcheck // the registry says what it did
	}
	return in(), nil
}

// checkLock refuses that a locked policy contradicts another locked one over the same people, of those that there are and of some others: what is promised
// for good must be possible.
func (r *Rulebook) checkLock(ctx context.Context, p, old directory.RetentionPolicy, others ...directory.RetentionPolicy) error {
	if !p.Locked {
		return nil
	}
	if err := r.deps.Directory.RetentionPolicies.Refresh(ctx); err != nil {
		return err //nolint:wrapcheck // the registry says what it did
	}
	for _, there := range r.deps.Directory.RetentionPolicies.Of(p.Org) {
		others = append(others, there.Value)
	}
	for _, o := range others {
		if o.ID == p.ID || !o.Locked || !p.Action.Contradicts(o.Action) {
			continue
		}
		both, err := r.overlap(p, o)
		if err != nil {
			return err
		}
		if both {
			return &directory.FieldError{Field: changedField(p, old), Reason: fmt.Sprintf(
				"contradicts the locked policy %s over the same people: one deletes while the other still retains", o.ID)}
		}
	}
	return nil
}

// changedField is what made the contradiction.
func changedField(p, old directory.RetentionPolicy) string {
	switch {
	case !old.Locked:
		return "locked"
	case p.Action.Days != old.Action.Days:
		return "action.days"
	}
	return "scope"
}

// overlap tells whether two scopes speak of the same people: by what they say, or as users are now.
func (r *Rulebook) overlap(a, b directory.RetentionPolicy) (bool, error) {
	if a.Scope.Overlaps(b.Scope) {
		return true, nil
	}
	inA, err := a.Scope.Coverage()
	if err != nil {
		return false, fmt.Errorf("read scope: %w", err)
	}
	inB, err := b.Scope.Coverage()
	if err != nil {
		return false, fmt.Errorf("read scope: %w", err)
	}
	users := r.deps.Directory.Users.Of(a.Org)
	for _, scope := range []directory.RetentionScope{a.Scope, b.Scope} {
		if scope.Include == nil {
			continue
		}
		for _, id := range scope.Include.Users { // also those the directory has no row of
			users = append(users, directory.Versioned[directory.User]{Value: userOf(r.deps.Directory, a.Org)(id)})
		}
	}
	return slices.ContainsFunc(users, func(u directory.Versioned[directory.User]) bool {
		_, isA := inA.Covers(&u.Value)
		_, isB := inB.Covers(&u.Value)
		return isA && isB
	}), nil
}

// checkHold refuses a hold on something that nobody knows.
func (r *Rulebook) checkHold(ctx context.Context, h directory.Hold) error {
	if err := h.Validate(); err != nil {
		return err //nolint:wrapcheck // the fields are what is asked for
	}
	field, id := h.On()
	var known bool
	var err error
	switch field {
	case "meeting":
		_, err = r.deps.Directory.Meetings.Get(ctx, h.Org, id)
		known = err == nil
	case "user":
		known, err = r.knowsUser(ctx, h.Org, id, nil)
	default:
		known, err = r.knowsResource(ctx, id)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err //nolint:wrapcheck // the registry says what it did
	}
	if !known {
		what := "that the organisation has"
		if field == "resource" {
			what = "that is registered"
		}
		return &directory.FieldError{Field: field, Reason: fmt.Sprintf("names no %s %s: a hold would be on nothing", field, what)}
	}
	return nil
}

// knowsResource tells whether an application is registered, by whatever organisation: the guests of any may join.
func (r *Rulebook) knowsResource(ctx context.Context, id string) (bool, error) {
	if slices.Contains(r.deps.Resources, id) {
		return true, nil
	}
	if _, ok := r.deps.Directory.Resources.FindID(id); ok {
		return true, nil
	}
	if err := r.deps.Directory.Resources.Refresh(ctx); err != nil {
		return false, err //nolint:wrapcheck // the registry says what it did
	}
	_, ok := r.deps.Directory.Resources.FindID(id)
	return ok, nil
}
