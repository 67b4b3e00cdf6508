// Package retention owns how long chat, recordings, notices and decision inputs are kept: the organisations' policies and holds, and what follows from
// them for each meeting.
//
// The Rulebook changes policies and holds; it acknowledges a change once the ledger is told of it, and a hold once nothing is purged any more that it
// covers. The Decider asks the Rego package anteroom.retention, once for all things of a class of a meeting, and writes the answers in each region's
// database: nothing is due and nothing is purged that was not decided on. Whatever fails leaves what was decided before, and a region whose decisions
// are not known to be up to date (store.DecisionMark) purges nothing. The Sweeper hides what is due, and purges what no hold covers.
package retention
