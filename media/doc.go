// Package media owns the meetings that run in this process: who gets to them, when a session of one begins, and what reaches it from outside.
//
// A Node proves who joins, finds the meeting of a link, starts exactly one session however many join at once, seals and opens resume tokens,
// and hands changed settings to running meetings within a second. What happens inside a session is media/meeting's, packets are
// media/forward's, connections media/signal's. It sees neither Kafka nor ClickHouse: what it needs are the small interfaces here, wired in cmd.
//
// An unknown meeting and a wrong link secret are answered alike, and take the same path to the answer. Nothing here logs or counts by name,
// address or id of a guest; addresses are kept in memory only, as keys of rate limits.
package media
