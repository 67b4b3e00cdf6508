package anteroom.organization_test.retention

import data.anteroom.organization.retention

# What is asked about the copies of an application's guests.
kept(resource, policies) := {"kept": {"resource": resource, "policies": policies}}

days(wishes) := {[wish.rule, wish.days] | some wish in wishes}

test_acme5_two_weeks if {
	days(retention.shorten.copy) == {["ACME5", 14]} with input as kept("any", [])
}

test_acme5_leaves_it_to_policies if {
	policy := {"id": "p", "version": 1, "action": "delete", "days": 90, "locked": false, "why": ["organization"]}
	retention.shorten.copy == set() with input as kept("any", [policy])
	days(retention.shorten.copy) == {["ACME5", 14]} with input as kept("any", [object.union(policy, {"action": "retain"})])
}

test_acme6_sensitive_applications if {
	days(retention.shorten.copy) == {["ACME5", 14], ["ACME6", 3]} with input as kept("clinic", [])
		with data.organization.retention.sensitive as {"clinic": 3}
}

# Days that can't be would shorten nothing.
test_acme6_data_has_days if {
	every days in data.organization.retention.sensitive {
		days >= 1
		days <= 36500
	}
}
