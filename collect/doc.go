// Package collect takes in what clients of other conferencing systems measure while their calls go on: over a WebSocket that the rtcstats
// clients speak to, and as batches over HTTP.
//
// Who sends is proven by a token of a resource. A token is good for one session, which is one call as one participant's client saw it; while
// the session is kept, the same token and connection id take it up again, on this process. Everybody is a guest: nothing that a client says of
// its user is read, and neither token nor address nor name is kept or logged.
//
// What was acknowledged is in Kafka: a session's events are numbered by a source of its own, handed over interval by interval while the call goes
// on, and repeated under the same numbers until the broker has them; only then is the client told how far it was understood. A client is read no
// faster than Kafka takes its events. A session that breaks off leaves a call whose end isn't known.
//
// What can't be understood ends the session with a reason that names the message and the place; what came before it stays.
package collect
