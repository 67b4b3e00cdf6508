package anteroom.retention

# METADATA
# title: A hold stops deletion of what it covers
# description: By their ids, the holds that cover what is decided on.
# custom:
#   rule: R4
holding contains hold.id if {
	some hold in input.holds
	not hold.released
	covers(hold)
}

# METADATA
# title: Holds that did until they were released
# description: What fell due meanwhile is due at once after release.
# custom:
#   rule: R4
released contains hold.id if {
	some hold in input.holds
	hold.released
	covers(hold)
}

# METADATA
# title: What a hold covers
# description: On a meeting or on a user who was in it, all of the meeting. On a resource, the copies of its guests.
covers(hold) if hold.on in {"meeting", "user"}

covers(hold) if {
	hold.on == "resource"
	hold.resource == input.resource
	input.class == "copy"
}
