// Package signal owns the connections of clients: one WebSocket each, at /v1/connect, speaking media/protocol.
//
// Each connection has a reader, a worker that handles requests in the order in which they came, and a writer with a queue that is bounded by
// frames and by bytes. The reader never waits for a request, so that pings are answered while one is slow. Whoever doesn't read what is sent
// to it, doesn't answer pings, doesn't join in time, or goes on after being told that it asks too much, is cut with a reason; nothing is kept
// for it. A panic ends its connection only. Every request gets exactly one reply. docs/protocol.md is the reference.
package signal
