// Package forward carries media between the members of a room: a selective forwarding unit on pion.
//
// Each member has two peer connections, one a direction: the client offers the publishing one, the server the subscribing one, so that
// offers never collide. Packets are forwarded as they are (no transcoding), through a queue per subscriber: a slow one loses its own
// packets and delays nobody. The package decides nothing about who may: it is told (AllowSend, AllowReceive), and stops at once.
//
// A packet's way: the layer's goroutine reads it, measures it, keeps it in the layer's cache and puts it into the queue of each subscriber that
// gets the layer; each subscriber's one writer gives it the subscriber's sequence number, timestamp and picture ids, and writes it. Layers are
// switched by the writer, at key frames only. What a subscriber lost is sent again out of the publisher's cache. The connections have no
// interceptors: all of RTCP is done here, so that each packet is looked at once.
//
// Who gets what is decided by the room's goroutine, which hands each member a list of tracks: all screens; cameras up to LastNVideo, those of the
// latest speakers first, and more if the client wants them explicitly; audio up to LastNAudio, unmuted first. The member's own goroutine offers the difference, many changes in
// one offer, with one offer awaiting its answer at a time. A section that was given up is used again.
//
// Locks: a room's may be held when a track's or a peer's is taken, a connection's when its peer's is; none is held while pion works, nor when
// Events are called.
//
// Not negotiated: the dependency descriptor (frame numbers would have to be rewritten at layer switches) and audio NACK.
package forward
