# METADATA
# title: What a participant of a meeting may do
# description: |
#   The base policy. Its answer is `decision` for one question (may this participant enter, may it use one capability), and `withhold` for
#   all capabilities at once.
#
#   Rules of three kinds say why not, and each carries its id and its reason in its metadata:
#     deny       this participant may not enter
#     lobby      this participant has to wait
#     withhold   this participant may not use that capability
#   Deny beats lobby, and what nothing speaks against is allowed. An organisation's own policy (package anteroom.organization) has rules of
#   the same three kinds and can only add to these; where a rule's metadata says `grantable: true` and the operator lists the capability in
#   data.grantable, it may also `grant` what that rule withholds.
#
#   Limits and data.grantable are the operator's. data.precedence says which of several reasons is told first.
package anteroom.meeting

# METADATA
# title: The decision
# description: What is asked in input.action, answered with the reasons of all rules that spoke.
decision := {
	"effect": effect,
	"obligations": obligations,
	"refusals": refusals,
}

# METADATA
# title: Allow, lobby or deny
# description: A question that no rule below knows, such as an unknown capability, is denied.
default effect := "deny"

effect := "allow" if {
	input.action == "join"
	count(deny) + count(lobby) == 0
}

effect := "lobby" if {
	input.action == "join"
	count(deny) == 0
	count(lobby) > 0
}

effect := "allow" if {
	input.action == "use"
	known[input.capability]
	count(refusals) == 0
}

# METADATA
# title: Why the effect is not allow
default refusals := set()

refusals := deny if {
	input.action == "join"
	count(deny) > 0
}

refusals := lobby if {
	input.action == "join"
	count(deny) == 0
}

refusals := withhold[input.capability] if input.action == "use"

# METADATA
# title: Guest
# description: Whoever is not proven to be a user of the hosting organisation.
guest if input.participant.kind != "org_user"

# METADATA
# title: Outside
# description: |
#   Not in the meeting yet: new, or waiting. Who is inside stays inside; rules about entering speak of those outside only, and they hold
#   again for everybody who waits whenever something changes.
outside if {
	input.participant.state != "admitted"
	input.participant.state != "gone"
}
