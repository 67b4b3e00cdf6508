package webrtcinternals_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/webrtcinternals"
)

// Whatever the bytes: either one *decode.Error and nothing else, or valid events, and the same again.
func FuzzDecode(f *testing.F) {
	f.Add(shortened(f))
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

// shortened is the recorded dump with one stream of each direction and one event of each type, since mutating long seeds finds
// little.
func shortened(f *testing.F) []byte {
	f.Helper()
	var d map[string]any
	if err := json.Unmarshal(recorded(f), &d); err != nil {
		f.Fatal(err)
	}
	peers, _ := d["PeerConnections"].(map[string]any)
	for _, pc := range peers {
		members, _ := pc.(map[string]any)
		stats, _ := members["stats"].(map[string]any)
		maps.DeleteFunc(stats, func(name string, _ any) bool {
			stream := strings.HasPrefix(name, "IT01A") || strings.HasPrefix(name, "OT01V") || strings.HasPrefix(name, "RIV") || strings.HasPrefix(name, "T01-")
			return !stream || strings.Contains(name, "[") || !slices.ContainsFunc(keptByShortened, func(p string) bool {
				return strings.HasSuffix(name, "-"+p)
			})
		})
		log, _ := members["updateLog"].([]any)
		members["updateLog"] = slices.DeleteFunc(log, func(u any) bool {
			kind, _ := u.(map[string]any)["type"].(string)
			return !strings.HasSuffix(kind, "statechange")
		})
	}
	data, err := json.Marshal(d)
	if err != nil {
		f.Fatal(err)
	}
	return data
}

var keptByShortened = []string{"ssrc", "kind", "packetsReceived", "packetsSent", "packetsLost", "jitter", "roundTripTime", "localId", "selectedCandidatePairId", "timestamp"}
