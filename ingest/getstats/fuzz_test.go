package getstats_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/getstats"
)

// Whatever batches say, the events are good and numbered without a gap, or the error says where it is wrong.
func FuzzBatch(f *testing.F) {
	good := entry(1, 100, 1, false)
	f.Add([]byte(good.Stats), "connected", "pc", int64(0), uint8(2))
	f.Add([]byte(entry(1, 100, 1, true).Stats), "failed", "pc", int64(1000), uint8(1))
	f.Add([]byte(`{"a":{"type":"inbound-rtp","ssrc":7,"packetsReceived":1e300,"jitter":-1e-300}}`), "", "", int64(-1<<40), uint8(3))
	f.Fuzz(func(t *testing.T, stats []byte, state, connection string, shift int64, times uint8) {
		l := getstats.NewLive(options(t), "collect/fuzz", state)
		sequence := uint64(0)
		look := func() {
			for _, e := range l.Events() {
				if sequence++; e.Sequence != sequence || event.Validate(e) != nil {
					t.Fatalf("event %d after %d: %v", e.Sequence, sequence-1, event.Validate(e))
				}
			}
		}
		for i := range int(times%8) + 1 {
			at := noon().Add(time.Duration(i)*time.Second + time.Duration(shift%(48*3600*1000))*time.Millisecond)
			list := []getstats.Entry{
				entry(i, 100+i, i, i%2 == 0),
				{At: at, PeerConnection: connection, Stats: json.RawMessage(stats), ICEConnectionState: state},
				{At: at, PeerConnection: connection, ConnectionState: state},
			}
			broken, err := l.Batch(list, noon().Add(time.Minute))
			var bad *decode.Error
			if err != nil && !errors.As(err, &bad) {
				t.Fatalf("an error without a place: %v", err)
			}
			// Short texts stand in places' names by chance.
			if err != nil && len(stats) > 40 && bytes.Contains([]byte(err.Error()), stats) {
				t.Fatalf("the error quotes what was sent: %v", err)
			}
			look()
			if broken {
				return
			}
		}
		for _, e := range l.End([]string{"", "broken_off"}[times%2]) {
			if sequence++; e.Sequence != sequence || event.Validate(e) != nil {
				t.Fatalf("at the end, event %d after %d: %v", e.Sequence, sequence-1, event.Validate(e))
			}
		}
	})
}
