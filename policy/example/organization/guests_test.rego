package anteroom.organization_test

import data.anteroom.meeting
import data.anteroom.organization

inside(changes) := object.union(newcomer({"action": "use", "participant": {"state": "admitted"}}), changes)

test_acme3_withheld if {
	guests := {"withheld": ["shareScreen"], "chat_until": 10}
	withhold := organization.withhold with input as inside({}) with data.organization.guests as guests
	reasons(withhold.shareScreen) == {"acme_withheld"}
	object.keys(withhold) == {"shareScreen"}
}

# A capability that doesn't exist would be withheld from nobody.
test_acme3_data_names_capabilities if {
	every capability in data.organization.guests.withheld {
		capability in meeting.known
	}
}

test_acme4_large_meeting if {
	guests := {"withheld": [], "chat_until": 10}
	large := inside({"session": {"participants": 11}})
	withhold := organization.withhold with input as large with data.organization.guests as guests
	reasons(withhold.sendChat) == {"acme_large_meeting"}
	small := inside({"session": {"participants": 10}})
	organization.withhold == {} with input as small with data.organization.guests as guests
}

test_users_have_everything if {
	organization.withhold == {} with input as inside({"participant": {"kind": "org_user"}, "session": {"participants": 500}})
}
