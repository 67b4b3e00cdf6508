// Package ledger keeps a region's transparency log: what came to be stored, what was deleted, which policies and holds were changed.
//
// The log is in a folder, as https://c2sp.org/tlog-tiles files, on tessera's POSIX driver, so the folder has to be on a file system of the machine
// itself. One process per region appends at a time (Run), and others on the folder wait for its end: it takes the leaves of the table ledger_outbox, waits until they are integrated and a signed
// checkpoint covers them, and only then writes ledger_entries, from what it reads in the log. So a leaf without an entry is either not in the log or
// in the log's tail, which is looked at before anything is appended: however the process ends, a leaf is in the log once.
//
// What can make a second log of a region, or rewrite one, is refused: another folder than the one that the region's
// tables know, and a log that is shorter than the entries say.
//
// Anybody may read: checkpoints, leaves and proofs come from the folder, and no lock is taken for them.
package ledger
