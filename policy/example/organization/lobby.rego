# METADATA
# title: What Acme's guests may do
# description: |
#   Narrows the base policy. Rules of the same name add to each other, in whichever file they stand; each says in its metadata which rule it is and
#   what reason it gives, and these never change, for people look for them in the decision log.
package anteroom.organization

import data.anteroom.meeting

# METADATA
# title: Guests wait
# description: They wait even where the meeting's setting would let everybody in, until a user of the organisation admits them.
# custom:
#   rule: ACME1
#   reason: acme_guests_wait
lobby contains rego.metadata.rule().custom if {
	input.participant.admitted_by_org_user == false
	meeting.guest
	meeting.outside
}

# METADATA
# title: No guests beside a room device
# description: The rooms that have one are used for confidential meetings.
# custom:
#   rule: ACME2
#   reason: acme_room_device
deny contains rego.metadata.rule().custom if {
	input.session.room_device
	meeting.guest
	meeting.outside
}
