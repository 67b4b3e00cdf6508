// Package backup makes backups of a region's tables, restores them, and deletes those that have expired. The copying is ClickHouse's own BACKUP and RESTORE
// (store.BackUp, store.RestoreTables); what is here is what makes a restore safe.
//
// A backup is older than what it replaces, so what was deleted since comes back with it. Restored tables are therefore out of everybody's reach until
//
//   - the journal's rows are in them: what was hidden and deleted since, what came to be kept, which policies and holds are there, who attended;
//   - Kafka's records since the backup are ingested again, from a place where whole batches end: newer copies, edits and deletions are among them. Text whose
//     key is destroyed stays lost;
//   - decisions about periods are made anew;
//   - whatever must not be there any more has gone through the one sweep: hidden, purged, checked.
//
// Only then does the database get the region's name (store.EndRestore). A restore that is cut short at any moment leaves the region out of service, and
// another one begins from the start: nothing that it reads from is changed by it, but the group's offsets, which it sets again.
//
// Neither keys for chat nor the ledger are in a backup: keys must not come back, and a log only grows. The ledger's folder, with its keys and the journal,
// has to be there: without it a restore is refused.
package backup
