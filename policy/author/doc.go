// Package author is what an author of an organisation's policy works with: check, format, tests with coverage, trying an evaluation, its time,
// and replay over what was decided.
//
// All are functions of a content, of the operator's base and of what is handed in: they keep nothing, read no file and ask nobody. They run
// what authors wrote, which may use up time and memory without end: the service calls them in a process of its own (room policy/sandbox).
package author
