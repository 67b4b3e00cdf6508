package anteroom.organization_test

import data.anteroom.meeting
import data.anteroom.organization

# A guest at the door of an ordinary meeting, with some parts of the input replaced.
newcomer(changes) := object.union(
	{
		"action": "join",
		"capability": "",
		"organization": {"kind": "work", "anonymous_join": true, "lobby_bypass": "", "withdrawn": [], "require_consent": false},
		"meeting": {"kind": "scheduled", "lobby_bypass": "everyone", "withdrawn": [], "organizer_withdrawn": []},
		"participant": {
			"kind": "guest", "state": "new", "invited": false, "admitted_by_org_user": false,
			"organizer": false, "presenter": false,
		},
		"session": {"org_users": 1, "participants": 1, "chat_members": 1, "room_device": false},
	},
	changes,
)

reasons(refusals) := {refusal.reason | some refusal in refusals}

test_acme1_guests_wait if {
	reasons(organization.lobby) == {"acme_guests_wait"} with input as newcomer({})
}

# The base policy alone would let this guest in.
test_acme1_goes_beyond_the_base if {
	decision := meeting.decision with input as newcomer({})
	decision.effect == "allow"
}

test_acme1_spares[who] if {
	some who, changes in {
		"the admitted": {"participant": {"admitted_by_org_user": true}},
		"those inside": {"participant": {"state": "admitted"}},
		"users of the organisation": {"participant": {"kind": "org_user"}},
	}
	count(organization.lobby) == 0 with input as newcomer(changes)
}

test_acme2_no_guests_beside_a_room_device if {
	room := {"session": {"room_device": true}}
	reasons(organization.deny) == {"acme_room_device"} with input as newcomer(room)
	organization.deny == set() with input as newcomer(object.union(room, {"participant": {"kind": "org_user"}}))
	organization.deny == set() with input as newcomer({})
}
