// Package client is a client of meetings in Go, as anybody could write one from docs/protocol.md: it knows the messages and speaks WebRTC, and
// nothing else of this module. Bots, tests and "anteroom load" are built on it.
//
// A Client is one participant: a WebSocket, which may be lost and taken up again (Reconnect), and two peer connections, one a direction, which go
// on meanwhile. It publishes made-up frames of a wanted bitrate and counts what is delivered to it. All methods are safe for concurrent use.
package client
