// Package retention will own how long chat, recordings, notices and evidence are kept: rules, due times, holds, sweeps, the check that
// purged bytes are gone, the transparency ledger, and reports that can be verified without trusting the operator.
//
// Nothing is here yet: no message is stored so far.
package retention
