// Package recorder hands the events of a media node to Kafka.
//
// One writer numbers all events of the process: their source is the node and its start, their sequence rises in the order of writing, so
// that what Kafka gets twice counts once. Events are durable: Record waits for the acknowledgement, Offer takes what can be waited for
// by the queue. Samples are lossy: a full queue drops the oldest and counts it. While Kafka is away the writer repeats the same batch
// with growing pauses, the queues fill up, and those who would wait are told.
package recorder
