# METADATA
# title: What this service answers, for other policy agents
# description: |
#   The base policy and an organisation's own are merged by the service's engine when it decides; an agent that has nothing but their Rego asks
#   data.anteroom.decision.answer, which merges them in the same way. Whatever can't be understood is denied, for the reason policy_failed.
#
#   An agent skips a rule in which a built-in function fails, where the service denies, unless it is asked with strict-builtin-errors=true.
package anteroom.decision

import data.anteroom.meeting
import data.anteroom.organization

# METADATA
# title: The answer
default answer := {"effect": "deny", "reasons": ["policy_failed"], "rules": [], "obligations": []}

answer := {
	"effect": effect,
	"reasons": [pair[1] | some pair in sort({[rank(refusal.reason), refusal.reason] | some refusal in against})],
	"rules": [triple[2] | some triple in sort([triple |
		some refusal in against
		refusal.rule != ""
		triple := [rank(refusal.reason), refusal.reason, refusal.rule]
	])],
	"obligations": [obligation | some obligation in obligations],
} if {
	understood
	known
}

# METADATA
# title: Is it allowed?
default allow := false

allow if answer.effect == "allow"

# METADATA
# title: The base policy has a rule for the question
known if meeting.decision.effect == "allow"

known if count(meeting.decision.refusals) > 0

effect := "deny" if {
	input.action == "join"
	count(denied) > 0
}

effect := "lobby" if {
	input.action == "join"
	count(denied) == 0
	count(waiting) > 0
}

effect := "allow" if {
	input.action == "join"
	count(denied) + count(waiting) == 0
}

effect := "deny" if {
	input.action == "use"
	count(withheld) > 0
}

effect := "allow" if {
	input.action == "use"
	count(withheld) == 0
}

# METADATA
# title: What speaks against it
against := denied if {
	input.action == "join"
	effect == "deny"
}

against := waiting if {
	input.action == "join"
	effect == "lobby"
}

against := withheld if {
	input.action == "use"
	effect == "deny"
}

against := [] if effect == "allow"

default obligations := set()

obligations := meeting.decision.obligations if effect == "allow"

denied := [read(refusal) | some list in [of_base("deny"), own_deny]; some refusal in list]

waiting := [read(refusal) | some list in [of_base("lobby"), own_lobby]; some refusal in list]

withheld := [read(refusal) |
	some list in [of_base("deny") - lifted, object.get(own_withhold, input.capability, set())]
	some refusal in list
]

of_base(of) := meeting.decision.refusals if meeting.decision.effect == of

of_base(of) := set() if meeting.decision.effect != of

# METADATA
# title: What the organisation's grant lifts
# description: |
#   All that the base says against a capability, if the operator lists the capability, the organisation grants it, and nothing else than rules on roles
#   speaks against it.
default lifted := set()

lifted := meeting.decision.refusals if {
	input.capability in data.grantable
	input.capability in own_grant
	every refusal in meeting.decision.refusals {
		refusal.grantable == true
	}
}

# METADATA
# title: The organisation's own rules
# description: They don't see which capability is asked for, so that they say the same of it alone and among all.
default own_deny := set()

own_deny := rules if rules := organization.deny with input.capability as ""

default own_lobby := set()

own_lobby := rules if rules := organization.lobby with input.capability as ""

default own_withhold := {}

own_withhold := rules if rules := organization.withhold with input.capability as ""

default own_grant := set()

own_grant := rules if rules := organization.grant with input.capability as ""

# METADATA
# title: All that the organisation's rules say has the right form
understood if {
	every list in [own_deny, own_lobby] {
		refusals(list)
	}
	count(own_withhold) <= most
	every list in own_withhold {
		refusals(list)
	}
	count(own_grant) <= most
	every capability in own_grant {
		is_string(capability)
	}
}

most := 256

refusals(list) if {
	count(list) <= most
	every refusal in list {
		readable(read(refusal))
	}
}

readable(refusal) if {
	regex.match(`^[a-z0-9_]{1,64}$`, refusal.reason)
	count(refusal.rule) <= 64
}

read(refusal) := {"reason": refusal, "rule": ""} if is_string(refusal)

read(refusal) := {"reason": text(refusal, "reason"), "rule": text(refusal, "rule")} if is_object(refusal)

text(object_of, key) := object_of[key] if is_string(object_of[key])

text(object_of, key) := "" if not is_string(object.get(object_of, key, null))

# METADATA
# title: How important a reason is
# description: Reasons of organisations come after all of the base, by name.
rank(reason) := min({i | some i, known_reason in data.precedence; known_reason == reason}) if reason in data.precedence

rank(reason) := count(data.precedence) if not reason in data.precedence
