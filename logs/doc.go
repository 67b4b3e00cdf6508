// Package logs writes down how calls went, once they have ended: the diagnostic
// records that administrators' tools read, in the shape of Azure Communication
// Services (rule D1).
//
// It owns two logs. An organisation's has every participant of its calls; a
// guest has the endpoint type Anonymous there, and no identifier. A resource's
// own log, in the resource's region, has its own guests and nobody else, with
// the ids that the resource itself gave them.
//
// What a record says is a function of the facts. When it is written, is not:
// so records are stored first, in one piece per call, whoever writes them first
// for all, and are then produced to Kafka as they are stored. Killed in between,
// the same bytes are produced again, with the same record ids.
//
// Package ingest/acs reads back what is written here, with the same verdicts.
package logs
