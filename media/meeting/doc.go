// Package meeting is one running session of a meeting: who waits, who is in, what each may do, chat, activities, notices, recording.
//
// It holds the only copy of that state, guarded by one lock; nothing under the lock waits for a client, for Kafka or for media. Every request
// is decided by policy, on an input without personal data. What goes on is recorded as events; joins, chat, notices and recordings are
// acknowledged by Kafka before they are confirmed to anybody.
package meeting
