// Package forward carries media between the members of a room: a selective forwarding unit on pion.
//
// Each member has two peer connections, one a direction: the client offers the publishing one, the server the subscribing one, so that
// offers never collide. Packets are forwarded as they are (no transcoding), through a queue per subscriber: a slow one loses its own
// packets and delays nobody. The package decides nothing about who may: it is told (AllowSend, AllowReceive), and stops at once.
package forward
