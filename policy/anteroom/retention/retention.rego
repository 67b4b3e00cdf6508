# METADATA
# title: How long things are kept
# description: |
#   Decided once for all things of one class of one meeting (and, for guests' copies, of one resource), and again whenever a policy, a hold, a
#   user or who was there changes. The days count from when a thing was sent; the service adds them and does what follows.
#
#   Classes are `thread` (the organisation's own thread), `copy` (guests' copies), `recording`, `notice` and `decision`.
#
#   The input has the policies that apply: those that are on and have at least one of the organisation's users who were in the meeting in their
#   scope, with each way that such a user is in it (`why`). It has the holds on the meeting, on a user who was in it, and on the resource,
#   also those that are released by now.
#
#   Every `period` below carries its rule and its reason in its metadata, and for each input exactly one of them holds. data.days are the
#   periods that hold where no policy does; those of recordings, notices and decision inputs are the operator's.
package anteroom.retention

# METADATA
# title: The decision
# description: |
#   `days` is null for what is kept for good. `rule` is the id of the policy that decides, `default`, `kept`, or `organization:` and the id of the organisation's
#   own rule that shortens. What is `held` can't be read once its days are over, and its bytes stay until the holds are released.
decision := {
	"days": outcome.days,
	"rule": outcome.rule,
	"version": outcome.version,
	"reason": outcome.reason,
	"held": count(holding) > 0,
	"holds": holding,
	"released": released,
}

# METADATA
# title: Policies that delete at some time
deleting contains policy if {
	some policy in input.policies
	policy.action in {"delete", "retain_then_delete"}
}

# METADATA
# title: Policies that keep for some time
retaining contains policy if {
	some policy in input.policies
	policy.action in {"retain", "retain_then_delete"}
}

# METADATA
# title: How specific a scope is
# description: By the most specific way that a user who was in the meeting is in it. To be named beats one's group, that beats a query, that beats being one of all.
specificity(policy) := max({{"organization": 0, "adaptive": 1, "group": 2, "user": 3}[way] | some way in policy.why})

# METADATA
# title: Those of the most specific scope
most_specific(policies) := {policy |
	some policy in policies
	specificity(policy) == max({specificity(other) | some other in policies})
}

# METADATA
# title: Those of the fewest days
of_fewest_days(policies) := {policy |
	some policy in policies
	policy.days == min({other.days | some other in policies})
}

# METADATA
# title: Those of the most days
of_most_days(policies) := {policy |
	some policy in policies
	policy.days == max({other.days | some other in policies})
}

# METADATA
# title: One of several that come to the same
# description: Always the same one, so that a decision doesn't change by itself.
one_of(policies) := policy if {
	some policy in policies
	policy.id == min({other.id | some other in policies})
}

# METADATA
# title: What a policy comes to
by_policy(policy, why) := {"days": policy.days, "rule": policy.id, "version": policy.version, "reason": why.reason}

# METADATA
# title: What holds without a policy
by_default(why) := {"days": data.days[input.class], "rule": "default", "version": 0, "reason": why.reason}

# METADATA
# title: What nothing deletes
kept(why) := {"days": null, "rule": "kept", "version": 0, "reason": why.reason}
