package rtcstats_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/rtcstats"
	"github.com/anteroom/anteroom/internal/demo"
)

// Whatever a client sends, in whatever pieces it is taken, the events are good and numbered without a gap, or the error says where it is wrong.
func FuzzLive(f *testing.F) {
	f.Add([]byte(successorDump), true, uint8(3))
	f.Add(bytes.Join(linesOf(demo.Files()[0].Data)[:60], []byte("\n")), false, uint8(7))
	f.Add([]byte(`["getstats","PC_0",{"a":{"timestamp":0,"type":"inbound-rtp","ssrc":7,"packetsReceived":1e300}},1772359205000,1]`), false, uint8(1))
	f.Fuzz(func(t *testing.T, messages []byte, successor bool, every uint8) {
		dialect := rtcstats.Jitsi
		if successor {
			dialect = rtcstats.Successor
		}
		l := rtcstats.NewLive(options(t), "collect/fuzz", dialect, "")
		sequence := uint64(0)
		look := func() {
			for _, e := range l.Events() {
				if sequence++; e.Sequence != sequence || event.Validate(e) != nil {
					t.Fatalf("event %d after %d: %v", e.Sequence, sequence-1, event.Validate(e))
				}
			}
		}
		for i, message := range bytes.Split(messages, []byte("\n")) {
			_, err := l.Message(message, time.UnixMilli(1772359205000))
			var bad *decode.Error
			if err != nil && !errors.As(err, &bad) {
				t.Fatalf("an error without a place: %v", err)
			}
			if err != nil {
				break
			}
			if i%(int(every)+1) == 0 {
				l.Settle()
			}
			look()
		}
		for _, e := range l.End([]string{"", "broken_off"}[every%2]) {
			if sequence++; e.Sequence != sequence || event.Validate(e) != nil {
				t.Fatalf("at the end, event %d after %d: %v", e.Sequence, sequence-1, event.Validate(e))
			}
		}
	})
}
