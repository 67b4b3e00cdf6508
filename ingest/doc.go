// Package ingest owns the way from Kafka to ClickHouse: fetch, decode, label as anonymous, batch, insert, commit; dead letters; and
// the import of files, which are decoded as a whole and then published like any other events.
//
// Delivery is effectively once. Kafka keeps what is not committed; a batch is a contiguous range of offsets of one topic and
// partition; before its insert the range is saved as metadata of the group's committed offset (commit.go), so that whoever is
// assigned the partition after a crash replays exactly that range under the same deduplication token. The token alone can lose
// rows, so each insert that repeats an earlier one is followed by a comparison of the stored rows with those decoded, and what is
// missing is inserted again (write.go). A record that a producer wrote twice is under two offsets; it is told by its source's
// sequence, which must be above the mark stored with the last batch (marks.go).
//
// What becomes of a record is a pure function of its bytes, of keys that do not rotate under it and of the marks before its batch:
// never of the clock.
//
// Memory is bounded by one budget of record bytes over all partitions: fetching waits until enough of what was fetched is stored.
// One goroutine chain per partition (fetch, assemble, write) runs for as long as the partition is assigned.
package ingest
