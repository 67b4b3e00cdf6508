package anteroom.decision_test

import data.anteroom.decision

# Only what rules on roles refuse may be lifted.
role := {"reason": "guest_not_allowed", "rule": "M3", "grantable": true}

limit := {"reason": "chat_limit_guest", "rule": "M10"}

# The answer where the base and the organisation say this.
answer(question, base, own) := found if {
	found := decision.answer with input as question
		with data.anteroom.meeting.decision as object.union({"obligations": set(), "refusals": set()}, base)
		with data.anteroom.organization as own
		with data.precedence as ["guest_not_allowed", "chat_limit_guest", "in_lobby"]
		with data.grantable as ["raiseHand"]
}

join := {"action": "join"}

use := {"action": "use", "capability": "raiseHand"}

says(effect, reasons, rules) := {"effect": effect, "reasons": reasons, "rules": rules, "obligations": []}

failed := says("deny", ["policy_failed"], [])

test_the_base_alone if {
	answer(join, {"effect": "allow"}, {}) == says("allow", [], [])
	answer(join, {"effect": "lobby", "refusals": {{"reason": "in_lobby", "rule": "J9"}}}, {}) == says("lobby", ["in_lobby"], ["J9"])
	answer(join, {"effect": "deny", "refusals": {limit, role}}, {}) == says("deny", ["guest_not_allowed", "chat_limit_guest"], ["M3", "M10"])
	answer(use, {"effect": "deny", "refusals": {role}}, {}) == says("deny", ["guest_not_allowed"], ["M3"])
}

test_obligations_are_of_what_is_allowed if {
	answer(use, {"effect": "allow", "obligations": {"a"}}, {}).obligations == ["a"]
	answer(use, {"effect": "allow", "obligations": {"a"}}, {"withhold": {"raiseHand": {"mine"}}}).obligations == []
}

test_a_question_that_the_base_does_not_know if answer(use, {"effect": "deny"}, {"withhold": {"raiseHand": {"mine"}}}) == failed

test_deny_beats_lobby if {
	own := {"deny": {"shut"}, "lobby": {"wait"}}
	answer(join, {"effect": "allow"}, own) == says("deny", ["shut"], [])
	answer(join, {"effect": "lobby", "refusals": {{"reason": "in_lobby", "rule": "J9"}}}, {"lobby": {"wait"}}) == says("lobby", ["in_lobby", "wait"], ["J9"])
}

test_reasons_are_told_once_and_rules_each_time if {
	own := {"deny": {{"reason": "shut", "rule": "b"}, {"reason": "shut", "rule": "a"}, "also"}}
	answer(join, {"effect": "deny", "refusals": {limit}}, own) == says("deny", ["chat_limit_guest", "also", "shut"], ["M10", "a", "b"])
}

test_grants_lift_rules_on_roles if {
	answer(use, {"effect": "deny", "refusals": {role}}, {"grant": {"raiseHand"}}) == says("allow", [], [])
	answer(use, {"effect": "deny", "refusals": {role, limit}}, {"grant": {"raiseHand"}}).effect == "deny"
	answer(use, {"effect": "deny", "refusals": {role}}, {"grant": {"useReactions"}}).effect == "deny"
	answer({"action": "use", "capability": "usePolls"}, {"effect": "deny", "refusals": {role}}, {"grant": {"usePolls"}}).effect == "deny"
	answer(use, {"effect": "deny", "refusals": {role}}, {"grant": {"raiseHand"}, "withhold": {"raiseHand": {"mine"}}}) == says("deny", ["mine"], [])
}

test_what_has_not_the_right_form_is_denied if {
	answer(join, {"effect": "allow"}, {"deny": {7}}) == failed
	answer(join, {"effect": "allow"}, {"deny": {{"rule": "a"}}}) == failed
	answer(join, {"effect": "allow"}, {"lobby": {"Not A Reason"}}) == failed
	answer(join, {"effect": "allow"}, {"withhold": {"sendChat": {""}}}) == failed
	answer(join, {"effect": "allow"}, {"grant": {7}}) == failed
	answer(join, {"effect": "allow"}, {"deny": many}) == failed
}

# 343 different reasons.
many := {{"reason": "x", "n": [a, b, c]} |
	some a in [1, 2, 3, 4, 5, 6, 7]
	some b in [1, 2, 3, 4, 5, 6, 7]
	some c in [1, 2, 3, 4, 5, 6, 7]
}

test_allow if {
	decision.allow with decision.answer as says("allow", [], [])
	not decision.allow with decision.answer as says("lobby", [], [])
}

test_rules_do_not_see_the_capability if {
	decision.own_deny == {"x"} with input as use
		with data.anteroom.organization.deny as {"x"}
}
