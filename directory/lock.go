package directory

import "slices"

// Grows names each field in which a locked policy would not only grow (*FieldError, joined). old is the locked one.
//
// What a locked policy has promised stays promised to all it was promised to:
//
//   - It stays locked and on, and keeps its kind of action.
//   - retain and retain_then_delete: days may rise. Things are kept longer then, which breaks no promise to keep them; that they are deleted
//     afterwards stays so.
//   - delete: days stay. Fewer would delete what the lock was to keep until then, more would keep what it was to have deleted.
//   - Its scope covers whoever it covered: it may become the whole organisation; include more and exclude fewer; or join more to its query
//     with "or". (Users come and go in groups and queries as before: the lock is on the policy, not on the directory.)
//
// Its name may change.
func (p RetentionPolicy) Grows(old RetentionPolicy) error {
	var c check
	if !p.Locked {
		c.fail("locked", "can't be taken off")
	}
	if !p.Enabled {
		c.fail("enabled", "can't be turned off: the policy is locked")
	}
	days := "of a locked policy can only rise"
	shorter := p.Action.Days < old.Action.Days
	if old.Action.Kind == RetentionDelete {
		days, shorter = "of a locked policy that only deletes can't change", p.Action.Days != old.Action.Days
	}
	if p.Action.Kind != old.Action.Kind {
		c.fail("action.kind", "of a locked policy can't change")
	} else if shorter {
		c.fail("action.days", "%s", days)
	}
	if !p.Scope.widens(old.Scope) {
		c.fail("scope", "of a locked policy can only grow: to the whole organisation, by including more or excluding fewer, or by joining more to the query with or")
	}
	return c.err()
}

// widens tells whether the scope covers whoever old covered, whatever the directory says of them.
func (s RetentionScope) widens(old RetentionScope) bool {
	switch {
	case s.Kind == ScopeOrganization:
		return true
	case s.Kind != old.Kind:
		return false
	case s.Kind == ScopeAdaptive:
		now, err := ParseQuery(s.Query)
		was, oldErr := ParseQuery(old.Query)
		return err == nil && oldErr == nil && now.Widens(was)
	}
	if !contains(old.Exclude.users(), s.Exclude.users()) || !contains(old.Exclude.groups(), s.Exclude.groups()) {
		return false
	}
	if s.Include.empty() {
		return true
	}
	return !old.Include.empty() && contains(s.Include.users(), old.Include.users()) && contains(s.Include.groups(), old.Include.groups())
}

// contains tells whether all has each of some.
func contains(all, some []string) bool {
	return !slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(all, one) })
}

// Contradicts tells whether two actions can't both be kept for somebody in the scope of both: one deletes while the other still retains.
func (a RetentionAction) Contradicts(b RetentionAction) bool {
	return (a.Deletes() && b.Retains() && a.Days < b.Days) || (b.Deletes() && a.Retains() && b.Days < a.Days)
}

// Overlaps tells whether two scopes speak of the same people by what they say, whoever there is: a whole organisation overlaps everything, and so do
// two that name the same group, user or query and don't exclude it. Whether some user is in both just now is for whoever knows the users.
func (s RetentionScope) Overlaps(other RetentionScope) bool {
	switch {
	case s.Kind == ScopeOrganization || other.Kind == ScopeOrganization:
		return true
	case s.Kind != other.Kind:
		return false
	case s.Kind == ScopeAdaptive:
		a, errA := ParseQuery(s.Query)
		b, errB := ParseQuery(other.Query)
		return errA == nil && errB == nil && a.String() == b.String()
	case s.Include.empty() && other.Include.empty():
		return true
	}
	return s.reaches(other) && other.reaches(s)
}

// reaches tells whether somebody that other includes by name or group is in s by name or group, or is not excluded where s is of everybody else.
func (s RetentionScope) reaches(other RetentionScope) bool {
	if other.Include.empty() {
		return true // It is of everybody else: what s includes decides.
	}
	in := func(included, excluded []string) func(string) bool {
		return func(one string) bool {
			return (s.Include.empty() || slices.Contains(included, one)) && !slices.Contains(excluded, one)
		}
	}
	// Who of the users named is in a group that s excludes, the directory knows; s of everybody else therefore says nothing of users.
	users := !s.Include.empty() && slices.ContainsFunc(other.Include.users(), in(s.Include.users(), s.Exclude.users()))
	return users || slices.ContainsFunc(other.Include.groups(), in(s.Include.groups(), s.Exclude.groups()))
}
