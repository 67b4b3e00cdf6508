// Package nodes says which of several media nodes has a meeting.
//
// A node shows that it lives by a row in ClickHouse, three times per lease. A meeting is the node's that claimed it, by an epoch: whoever takes over from a
// node that is silent for longer than the lease, or has said that it is over, claims the next epoch, which one node can only. Nobody takes over who wasn't
// heard itself for a whole lease before: while ClickHouse is away, and for a lease after it has come back, nobody loses anything.
//
// A node that wasn't heard for longer than the lease looks, as soon as it can, which of its meetings were taken, and hands those over: two nodes may have
// one meeting only for as long as the one that was taken over from reaches ClickHouse no more, or sleeps. Meanwhile it ends nobody's stay.
//
// What must hold on all nodes is claimed in the same way: that a guest's token was used, and that a participant or a call is gone for good. Whoever takes
// over a meeting knows all that was gone by then.
//
// It promises nothing while ClickHouse is away: what would have to be claimed then is refused. Meetings that run go on.
package nodes
