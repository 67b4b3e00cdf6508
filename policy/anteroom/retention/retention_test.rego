package anteroom.retention_test

import data.anteroom.retention

# A policy that deletes after some days, in whose scope somebody is as one of all.
deletes(id, days) := {"id": id, "version": 2, "action": "delete", "days": days, "why": ["organization"]}

retains(id, days) := object.union(deletes(id, days), {"action": "retain"})

retains_then_deletes(id, days) := object.union(deletes(id, days), {"action": "retain_then_delete"})

# The same policy, reached in another way.
by(policy, ways) := object.union(policy, {"why": ways})

# What the policies come to for a class: days, rule and reason.
answer(class, policies) := [decision.days, decision.rule, decision.reason] if {
	decision := retention.decision with input as {"class": class, "resource": "clinic", "policies": policies, "holds": []}
}

test_r1_a_policy_that_deletes_governs_all_copies if {
	answer("copy", [deletes("a", 1)]) == [1, "a", "shortest_deletion"]
	answer("copy", [retains_then_deletes("a", 90)]) == [90, "a", "shortest_deletion"]
	answer("copy", [by(deletes("a", 7), ["user"])]) == [7, "a", "shortest_deletion"]
}

test_r1_the_shortest_period_counts if {
	answer("copy", [deletes("a", 7), deletes("b", 1), retains_then_deletes("c", 90)]) == [1, "b", "shortest_deletion"]
	answer("copy", [deletes("b", 7), deletes("a", 7)]) == [7, "a", "shortest_deletion"]

	# However specific the other scope is.
	answer("copy", [by(deletes("a", 7), ["user"]), deletes("b", 1)]) == [1, "b", "shortest_deletion"]
}

test_r1_it_replaces_the_default if answer("copy", [deletes("a", 365)]) == [365, "a", "shortest_deletion"]

test_r1_it_carries_the_policys_version if {
	decision := retention.decision with input as {"class": "copy", "resource": "clinic", "policies": [deletes("a", 1)], "holds": []}
	decision.version == 2
}

test_r2_thirty_days if answer("copy", []) == [30, "default", "default_period"]

test_r3_a_policy_that_only_retains_keeps_no_copy if {
	answer("copy", [retains("a", 365)]) == [30, "default", "retention_keeps_no_copy"]
	answer("copy", [retains("a", 365), deletes("b", 1)]) == [1, "b", "shortest_deletion"]
}

test_r3_the_thread_is_kept if {
	answer("thread", []) == [null, "kept", "kept_without_policy"]
	answer("thread", [retains("a", 365)]) == [null, "kept", "kept_nothing_deletes"]
}

test_r3_retention_beats_deletion if {
	answer("thread", [deletes("a", 1), retains("b", 7)]) == [7, "b", "longest_retention"]
	answer("thread", [deletes("a", 1), retains_then_deletes("b", 7)]) == [7, "b", "longest_retention"]

	# Not longer than it lasts.
	answer("thread", [deletes("a", 30), retains("b", 7)]) == [30, "a", "shortest_deletion"]
	answer("thread", [deletes("a", 7), retains("b", 7)]) == [7, "a", "shortest_deletion"]
}

test_r3_the_longest_retention_counts if {
	answer("thread", [deletes("a", 1), retains("b", 7), retains("c", 9)]) == [9, "c", "longest_retention"]
	answer("thread", [retains_then_deletes("a", 7), retains_then_deletes("b", 9)]) == [9, "b", "longest_retention"]

	# Of equals that of the more specific scope.
	answer("thread", [deletes("a", 1), retains("b", 9), by(retains("c", 9), ["group"])]) == [9, "c", "longest_retention"]
}

test_r3_then_the_more_specific_scope if {
	answer("thread", [deletes("a", 1), by(deletes("b", 9), ["adaptive"])]) == [9, "b", "more_specific_scope"]
	answer("thread", [by(deletes("a", 1), ["adaptive"]), by(deletes("b", 9), ["group"])]) == [9, "b", "more_specific_scope"]
	answer("thread", [by(deletes("a", 1), ["group"]), by(deletes("b", 9), ["user"])]) == [9, "b", "more_specific_scope"]

	# The most specific way of any user counts.
	answer("thread", [by(deletes("a", 1), ["group"]), by(deletes("b", 9), ["organization", "user"])]) == [9, "b", "more_specific_scope"]
}

test_r3_then_the_shortest_deletion if {
	answer("thread", [deletes("a", 9), deletes("b", 1)]) == [1, "b", "shortest_deletion"]
	answer("thread", [deletes("a", 1), by(deletes("b", 9), ["user"]), by(deletes("c", 8), ["user"])]) == [8, "c", "more_specific_scope"]
	answer("thread", [deletes("b", 1), deletes("a", 1)]) == [1, "a", "shortest_deletion"]
}

test_r8_periods_of_their_own if {
	answer("recording", [deletes("a", 1)]) == [120, "default", "default_period"]
	answer("notice", []) == [1095, "default", "default_period"]
	answer("decision", [retains("a", 999)]) == [90, "default", "default_period"]
}

# The holds that hold, and those that did.
held(class, holds) := [decision.held, decision.holds, decision.released] if {
	decision := retention.decision with input as {"class": class, "resource": "clinic", "policies": [], "holds": holds}
}

holds_on(id, what) := {"id": id, "on": what, "resource": "", "released": false}

test_r4_a_hold_on_the_meeting_or_a_user_covers_everything if {
	every class in ["thread", "copy", "recording", "notice", "decision"] {
		held(class, [holds_on("a", "meeting"), holds_on("b", "user")]) == [true, {"a", "b"}, set()]
	}
}

test_r4_a_hold_on_a_resource_covers_the_copies_of_its_guests if {
	on_resource := object.union(holds_on("a", "resource"), {"resource": "clinic"})
	held("copy", [on_resource]) == [true, {"a"}, set()]
	held("copy", [object.union(on_resource, {"resource": "other"})]) == [false, set(), set()]
	held("thread", [on_resource]) == [false, set(), set()]
	held("recording", [object.union(on_resource, {"resource": ""})]) == [false, set(), set()]
}

test_r4_until_it_is_released if {
	released := object.union(holds_on("a", "meeting"), {"released": true})
	held("thread", [released]) == [false, set(), {"a"}]
	held("thread", [released, holds_on("b", "user")]) == [true, {"b"}, {"a"}]
}

test_nothing_is_decided_on_what_is_unknown if {
	not retention.decision with input as {"class": "other", "resource": "", "policies": [], "holds": []}
}
