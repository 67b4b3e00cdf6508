package anteroom.retention

# METADATA
# title: A policy that deletes governs all copies
# description: |
#   If a policy deletes chat for any of the organisation's users who were in the meeting, all copies are deleted in accordance with it, whoever
#   holds them. Of several the fewest days count, wherever they come from. It replaces the default, so it may be longer than that.
# custom:
#   rule: R1
#   reason: shortest_deletion
period := by_policy(one_of(of_fewest_days(deleting)), rego.metadata.rule().custom) if {
	input.class == "copy"
	count(deleting) > 0
}

# METADATA
# title: Without a policy copies are deleted after 30 days
# custom:
#   rule: R2
#   reason: default_period
period := by_default(rego.metadata.rule().custom) if {
	input.class == "copy"
	count(deleting) + count(retaining) == 0
}

# METADATA
# title: A policy that only retains keeps no copy
# description: It is no policy that deletes, and what it retains is the organisation's own thread.
# custom:
#   rule: R3
#   reason: retention_keeps_no_copy
period := by_default(rego.metadata.rule().custom) if {
	input.class == "copy"
	count(deleting) == 0
	count(retaining) > 0
}
