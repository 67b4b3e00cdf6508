// Package journal keeps, in a folder beside a region's ledger, those rows of the region's tables that a restore of a backup must not lose and that nothing
// else has: control rows (organisations, policies, holds, …), who attended, what was hidden, what came to be kept and what was deleted, and the leaves of
// the ledger. It has no text of any message, and no name of a guest.
//
// A backup is older than what it replaces. What was deleted since is in it, so the tables alone would bring it back. The journal is on another disk than
// ClickHouse, so that it is there when the tables are not. What is promised:
//
//   - Nothing is purged before the journal says, on disk, that it is hidden (Hidden, called by the sweep).
//   - Nothing is in the ledger before the journal has, on disk, the leaf and the rows that it was made of (Leaves, called by the ledger).
//   - Control rows, backups and attendance follow within a second (Run).
//
// The folder has numbered files that are only appended to. A file is a sequence of records: a line of JSON (table, columns, number of rows, when, length and
// digest) and that many bytes, gzip of ClickHouse's TabSeparated. A record that was cut short by a crash can only be a file's last, since each start, and
// each failure, begins a new file, and each writer has files of its own. Rows may be there twice; reading them back (store.PutCopied) heeds that.
//
// Files go when all in them is older than the oldest backup that is kept: a backup has what was there when it began.
package journal
