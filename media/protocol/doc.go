// Package protocol owns the messages between a client and a meeting: one WebSocket, JSON text frames, subprotocol "anteroom.v1".
//
// docs/protocol.md documents every message, field and reason; a test holds both together. The package knows shapes and limits only.
package protocol
