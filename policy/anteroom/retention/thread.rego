package anteroom.retention

# METADATA
# title: The thread is kept where no policy says otherwise
# custom:
#   rule: R3
#   reason: kept_without_policy
period := kept(rego.metadata.rule().custom) if {
	input.class == "thread"
	count(deleting) + count(retaining) == 0
}

# METADATA
# title: The thread is kept where policies only retain
# description: They say how long it has to be kept, and none says that it is deleted afterwards.
# custom:
#   rule: R3
#   reason: kept_nothing_deletes
period := kept(rego.metadata.rule().custom) if {
	input.class == "thread"
	count(deleting) == 0
	count(retaining) > 0
}

# METADATA
# title: Retention beats deletion, and the longest retention the others
# description: A policy deletes earlier than another still retains. The thread is deleted when the last retention ends.
# custom:
#   rule: R3
#   reason: longest_retention
period := by_policy(longest_retention, rego.metadata.rule().custom) if {
	input.class == "thread"
	retained_beyond_deletion
}

# METADATA
# title: The more specific scope deletes, though another would sooner
# custom:
#   rule: R3
#   reason: more_specific_scope
period := by_policy(governing_deletion, rego.metadata.rule().custom) if {
	input.class == "thread"
	not retained_beyond_deletion
	not deletes_soonest
}

# METADATA
# title: The shortest deletion deletes
# description: Of those of the most specific scope.
# custom:
#   rule: R3
#   reason: shortest_deletion
period := by_policy(governing_deletion, rego.metadata.rule().custom) if {
	input.class == "thread"
	not retained_beyond_deletion
	deletes_soonest
}

# METADATA
# title: The retention that lasts longest
# description: Of equals, the one of the more specific scope.
longest_retention := one_of(most_specific(of_most_days(retaining)))

# METADATA
# title: The deletion that counts
# description: The more specific scope comes before the shorter period.
governing_deletion := one_of(of_fewest_days(most_specific(deleting)))

retained_beyond_deletion if longest_retention.days > governing_deletion.days

deletes_soonest if governing_deletion in of_fewest_days(deleting)
