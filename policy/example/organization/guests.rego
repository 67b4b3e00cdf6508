package anteroom.organization

import data.anteroom.meeting

# METADATA
# title: Withheld from guests
# description: What data.json lists, so that a list can be changed by who writes no Rego.
# custom:
#   rule: ACME3
#   reason: acme_withheld
withhold[capability] contains rego.metadata.rule().custom if {
	some capability in data.organization.guests.withheld
	meeting.guest
}

# METADATA
# title: No chat from guests in large meetings
# custom:
#   rule: ACME4
#   reason: acme_large_meeting
withhold.sendChat contains rego.metadata.rule().custom if {
	input.session.participants > data.organization.guests.chat_until
	meeting.guest
}
