package anteroom.retention

# METADATA
# title: What decides in the end
# description: |
#   The rules of the house, or the organisation's own where they keep a thing for less long and nothing stands against it. They can't keep it longer.
outcome := shortened if {
	shortened
} else := period

# METADATA
# title: The organisation's own rules shorten
# description: |
#   input.shorten are the wishes of the organisation's own policy (package anteroom.organization.retention) for this class. The fewest days count, as with
#   policies that delete (R1), but what is retained, and what a locked policy says, stands until its days are over (R3). Periods that are the operator's can't
#   be shortened (R8), and holds stop deletion however short the period is (R4).
shortened := {"days": days, "rule": wish.rule, "version": 0, "reason": wish.reason} if {
	input.class in {"copy", "thread"}
	wish := first(of_fewest_days(wishes))
	days := max({wish.days, promised})
	less(days, period.days)
}

wishes contains wish if some wish in input.shorten

# METADATA
# title: Until when nothing may be deleted
# description: In days, 0 for no such promise. Retention beats deletion, and a lock promises that what is to stay until then stays.
promised := max({0} | {policy.days | some policy in input.policies; promises(policy)})

promises(policy) if policy.action in {"retain", "retain_then_delete"}

promises(policy) if policy.locked

# METADATA
# title: Fewer days than for good, or than some days
less(_, days) if days == null

less(days, other) if {
	is_number(other)
	days < other
}

# METADATA
# title: Of wishes of the same days always the same one
first(some_wishes) := min({[wish.rule, wish.reason, wish] | some wish in some_wishes})[2]
