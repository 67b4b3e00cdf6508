package webrtcinternals_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/webrtcinternals"
)

// Whatever the bytes: either one *decode.Error and nothing else, or valid events, and the same again.
func FuzzDecode(f *testing.F) {
	f.Add(recorded(f))
	for _, test := range bad() {
		if len(test.data) < 1<<14 {
			f.Add([]byte(test.data))
		}
	}
	f.Add(made{series: inbound([]any{100, 200, 10, 20}, []any{5, 9, 3, -2})}.bytes(f))
	f.Add([]byte(stat(goodTimes + `,"values":"[1,2,3]"`)))
	opt := options(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := webrtcinternals.Decode(data, opt)
		if err != nil {
			var placed *decode.Error
			if result != nil || !errors.As(err, &placed) || placed.Reason == "" {
				t.Fatalf("result %v, error %v; want no result and a *decode.Error", result != nil, err)
			}
			return
		}
		check(t, result)
		again, err := webrtcinternals.Decode(data, opt)
		if err != nil || len(again.Events) != len(result.Events) {
			t.Fatalf("decoded again: %v", err)
		}
		for i := range result.Events {
			if !proto.Equal(result.Events[i], again.Events[i]) {
				t.Fatalf("event %d differs when decoded again", i)
			}
		}
	})
}
