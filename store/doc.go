// Package store owns ClickHouse: connecting, inserting, querying, deleting, control rows, roll-ups, and where tables lie on
// a cluster. No other package speaks to ClickHouse.
//
// On one machine a table is what its name says. With Config.Cluster set, the big tables are <name>_local on each shard with
// a Distributed table <name> over them, sharded by call, so that all rows of a call are on one shard; readers and writers
// use <name> in both cases. Small tables whose rows belong together (control rows, source marks, batches, dead letters) are
// not sharded; package migrations says how they lie.
//
// Promises:
//
//   - An insert that returned no error is stored, once, however often it is repeated with the same deduplication token
//     within the window (10,000 inserts per table); see insert.go for what else a replay takes.
//   - A control row is written by at most one writer per version; see control.go.
//   - Roll-ups are rebuilt from base rows, never counted up; see rollup.go.
//   - Errors that a later attempt may not meet wrap ErrUnavailable or ErrTooManyParts.
package store
