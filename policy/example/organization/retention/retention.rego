# METADATA
# title: How long Acme's chat is kept
# description: |
#   Shortens what the retention policies and the defaults come to. Nothing here can keep anything for longer, or have anything go that a policy retains,
#   a lock promises or a hold covers.
package anteroom.organization.retention

# METADATA
# title: Guests' copies for two weeks
# custom:
#   rule: ACME5
#   reason: acme_two_weeks
#   days: 14
shorten.copy contains rego.metadata.rule().custom if applies

# METADATA
# title: Copies that guests of sensitive applications hold for a few days
# description: data.json lists the applications by their ids, each with its days.
# custom:
#   rule: ACME6
#   reason: acme_sensitive
shorten.copy contains object.union(rego.metadata.rule().custom, {"days": days}) if {
	days := data.organization.retention.sensitive[input.kept.resource]
}

# Where a policy of the organisation says when chat is deleted, that is enough.
applies if not governed

governed if {
	some policy in input.kept.policies
	policy.action in {"delete", "retain_then_delete"}
}
