package anteroom.retention_test

import data.anteroom.retention

wishes(id, days) := {"days": days, "rule": id, "reason": "acme"}

# What policies and the organisation's own rules come to.
shortened(class, policies, list) := [decision.days, decision.rule, decision.reason] if {
	decision := retention.decision with input as {"class": class, "resource": "clinic", "policies": policies, "shorten": list, "holds": []}
}

locked(policy) := object.union(policy, {"locked": true})

test_r1_own_rules_shorten if {
	shortened("copy", [], [wishes("organization:a", 7)]) == [7, "organization:a", "acme"]
	shortened("copy", [deletes("p", 9)], [wishes("organization:a", 7)]) == [7, "organization:a", "acme"]
	shortened("thread", [], [wishes("organization:a", 7)]) == [7, "organization:a", "acme"]
	shortened("thread", [deletes("p", 9)], [wishes("organization:a", 7)]) == [7, "organization:a", "acme"]
}

test_r1_own_rules_have_no_policys_version if {
	decision := retention.decision with input as {"class": "copy", "resource": "", "policies": [deletes("p", 9)], "shorten": [wishes("a", 7)], "holds": []}
	decision.version == 0
}

test_r1_own_rules_never_keep_longer if {
	shortened("copy", [], [wishes("a", 31)]) == [30, "default", "default_period"]
	shortened("copy", [], [wishes("a", 30)]) == [30, "default", "default_period"]
	shortened("copy", [deletes("p", 1)], [wishes("a", 2)]) == [1, "p", "shortest_deletion"]
}

test_r1_the_shortest_wish_counts if {
	shortened("copy", [], [wishes("a", 7), wishes("b", 3)]) == [3, "b", "acme"]
	shortened("copy", [], [wishes("b", 3), wishes("a", 3)]) == [3, "a", "acme"]
}

test_r3_what_is_retained_stands if {
	shortened("copy", [retains("p", 10)], [wishes("a", 7)]) == [10, "a", "acme"]
	shortened("copy", [retains("p", 365)], [wishes("a", 7)]) == [30, "default", "retention_keeps_no_copy"]
	shortened("thread", [retains("p", 365)], [wishes("a", 7)]) == [365, "a", "acme"]
	shortened("thread", [retains_then_deletes("p", 9)], [wishes("a", 7)]) == [9, "p", "shortest_deletion"]
}

test_r3_a_lock_stands if {
	shortened("copy", [locked(deletes("p", 9))], [wishes("a", 7)]) == [9, "p", "shortest_deletion"]
	shortened("thread", [locked(retains("p", 9)), deletes("q", 20)], [wishes("a", 7)]) == [9, "a", "acme"]
}

test_r8_the_operators_periods_stand if {
	every class, days in {"recording": 120, "notice": 1095, "decision": 90} {
		shortened(class, [], [wishes("a", 7)]) == [days, "default", "default_period"]
	}
}

test_r4_a_hold_holds_whatever_is_short if {
	decision := retention.decision with input as {
		"class": "copy", "resource": "", "policies": [], "shorten": [wishes("a", 7)],
		"holds": [holds_on("h", "meeting")],
	}
	[decision.days, decision.held, decision.holds] == [7, true, {"h"}]
}
