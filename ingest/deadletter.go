package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/store"
)

// deadLetter is the body of a record of the dead-letter topic. It says where the record is that could not be ingested, not what is in
// it: that may be personal data, and can be read at its origin for as long as the broker keeps it.
type deadLetter struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Record    int32     `json:"record"`
	Reason    string    `json:"reason"`
	SizeBytes uint32    `json:"size_bytes"`
	Time      time.Time `json:"time"`
}

// sendDeadLetters publishes dead letters before their batch is committed: at least once, the same id each time.
func (w *worker) sendDeadLetters(ctx context.Context, letters []store.DeadLetter) error {
	records := make([]event.Record, 0, len(letters))
	for _, l := range letters {
		body, err := json.Marshal(deadLetter{
			Topic: w.topic, Partition: w.partition, Offset: l.Offset, Record: l.Record, Reason: l.Reason, SizeBytes: l.Size, Time: l.ObservedAt.UTC(),
		})
		if err != nil {
			return fmt.Errorf("encode dead letter: %w", err)
		}
		id := fmt.Sprintf("%s/%d/%d/%d", w.topic, w.partition, l.Offset, l.Record)
		records = append(records, event.Record{
			Topic: event.DeadLetterTopic(w.cfg.Region), Key: []byte(id), Value: body,
			Headers: []event.Header{
				{Key: "ce_specversion", Value: []byte("1.0")},
				{Key: "ce_id", Value: []byte(id)},
				{Key: "ce_source", Value: []byte("ingest/" + w.cfg.Region)},
				{Key: "ce_type", Value: []byte("anteroom.dead_letter.v1")},
				{Key: "content-type", Value: []byte("application/json")},
			},
		})
	}
	return w.retry(ctx, w.feed.check, "send dead letters", func() error {
		_, err := w.letters.Write(ctx, records...)
		return err
	})
}
