// Package policy will own what somebody in a meeting may do: capabilities as a closed set of names, the input and the result of a
// decision, the shipped rules in Rego, revisions by organisations, their replay, and the sandbox for drafts.
//
// It is asked and asks nobody: a decision depends on its input and a revision only. Nothing is here yet.
package policy
