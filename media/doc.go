// Package media will own running meetings: lobby, peers, forwarding of audio, video and screen, the chat relay, recording, and the
// measurement of every stream.
//
// It will see neither Kafka nor ClickHouse: what it needs (handing over events, asking policy, watching settings) will be small
// interfaces of its own, wired in cmd. Nothing is here yet.
package media
