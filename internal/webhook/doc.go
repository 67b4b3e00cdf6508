// Package webhook delivers events to addresses that organisations and applications registered.
//
// Delivery is at least once: an event is tried again, with growing pauses, until its target answers 2xx, or until it has been tried often
// enough, which is counted. Each delivery carries the event's id, so that a target can drop what came twice; the order of events is kept per
// target unless one is given up. Send never blocks: a target's queue that is full drops the newest event, and that is counted. Queues are
// in memory: what is undelivered when the process ends is lost. Each target has a queue and a worker of its own, so that a slow or dead one
// holds up no other.
//
// A delivery is signed with the target's secret: the header Anteroom-Signature has "t=<unix seconds>,v1=<hex>", where v1 is the HMAC-SHA256
// of "<unix seconds>.<body>". A target compares it in constant time and refuses old times.
//
// What is sent are ids, kinds and times: nothing about a guest but a participant id, which is random per call.
//
// Addresses are typed in by others, so a sender is careful where it connects to: https only, no redirects, no proxy, and no address that
// belongs to this machine or to an inner network. That is checked when the connection is made, on the address that it is made to, so that no
// name can come to mean another address in between. AllowPrivate lifts it, for development.
package webhook
