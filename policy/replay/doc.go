// Package replay tells what a policy would have changed: it decides again, by two contents, on the inputs of the decisions that were recorded in a window.
//
// A replay is a job: it answers at once, says how far it is, and can be cancelled. Each distinct input is decided on once, in the sandbox, and counts as
// often as it was recorded. What is kept of a job are counts and, as examples, ids of decisions: their inputs are read from the decision log when a job is
// shown, so that what retention has hidden meanwhile isn't shown. A job runs in the process that took it; one whose process has ended counts as failed, and
// is asked for again.
package replay
