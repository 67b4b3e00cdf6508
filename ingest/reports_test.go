package ingest_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

// TestReportsInAnyFormAreStoredAlike: most reports are read straight into columns; those with anything that this way doesn't know take the decoder's, with
// the same rows in the same batch, and doubles of either among them are dropped.
func TestReportsInAnyFormAreStoredAlike(t *testing.T) {
	r := newRig(t)
	const reports, streams = 60, 3
	producer := r.deps.Kafka.NewProducer()
	var records []event.Record
	add := func(e *eventpb.Event, odd bool) {
		record, err := event.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if odd { // as a newer producer's may be
			record.Value = protowire.AppendVarint(protowire.AppendTag(record.Value, 999, protowire.VarintType), 1)
		}
		records = append(records, record)
	}
	for i := range reports {
		e := r.report("call", "media/one/1", uint64(i+1), streams)
		s := e.GetStreamReport().Streams[1]
		s.LossRatio, s.Nacks, s.Codec, s.PacketsLost = proto.Float32(0.25), uint32(i), "VP8", -7
		if i == 40 {
			s.Direction = 99 // as is what a newer producer means
		}
		add(e, i%2 == 1)
		if i%7 == 0 {
			add(e, i%3 == 0) // a producer's own double, at another offset
		}
	}
	add(r.report("call", "acs/sha256:1", 1, streams), false) // a source that names content
	if _, err := producer.Write(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	r.eventually(t, (reports+1)*streams, countSamples)
	for query, want := range map[string]uint64{
		countKeys: (reports + 1) * streams,
		"SELECT uniqExact(observed_at) FROM samples WHERE codec = 'VP8'":                                             reports,
		"SELECT count() FROM samples WHERE codec = 'VP8' AND loss_ratio = 0.25 AND packets_lost = -7 AND _index = 1": reports,
		"SELECT sum(nacks) FROM samples": reports * (reports - 1) / 2,
		"SELECT count() FROM samples WHERE codec = 'opus' AND loss_ratio IS NULL AND packets_lost = 2":        reports*(streams-1) + streams,
		"SELECT count() FROM samples WHERE direction = 'unknown' AND nacks = 40":                              1,
		"SELECT count() FROM samples WHERE participant_id = toUUIDOrZero('') OR stream_id = toUUIDOrZero('')": 0,
		"SELECT count() FROM dead_letters": 0,
		"SELECT count() FROM (SELECT observed_at, stream_id FROM samples GROUP BY 1, 2, call_id HAVING count() > 2)": 0,
		"SELECT count() FROM source_marks WHERE source = 'clinic media/one/1' AND sequence > " + "60":                0,
		"SELECT max(sequence) FROM source_marks WHERE source = 'clinic media/one/1'":                                 reports,
	} {
		r.eventually(t, want, query)
	}
}
