package rtcstats_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/rtcstats"
	"github.com/anteroom/anteroom/internal/demo"
)

// Whatever the bytes: either one *decode.Error and nothing else, or valid events, and the same again.
func FuzzDecode(f *testing.F) {
	for _, test := range bad() {
		if len(test.data) < 1<<14 {
			f.Add([]byte(test.data))
		}
	}
	f.Add([]byte(good(statsLine(1, 10, 0))))
	f.Add([]byte(successorDump))
	for _, file := range demo.Files() {
		f.Add(shorten(file.Data))
	}
	recorded, err := filepath.Glob(filepath.Join(fixtureDir(), "*.dump")) // none where they are missing
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range recorded {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(shorten(data))
	}
	opt := options(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := rtcstats.Decode(data, opt)
		if err != nil {
			var placed *decode.Error
			if result != nil || !errors.As(err, &placed) || placed.Reason == "" {
				t.Fatalf("result %v, error %v; want no result and a *decode.Error", result != nil, err)
			}
			return
		}
		check(t, result)
		again, err := rtcstats.Decode(data, opt)
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

// shorten keeps the first lines of a dump without the long descriptions of sessions, since mutating long seeds finds little.
func shorten(data []byte) []byte {
	const most, longest = 16 << 10, 8 << 10
	var out []byte
	for line := range bytes.Lines(data) {
		if len(out)+len(line) > most {
			break
		}
		if len(line) <= longest && !bytes.Contains(line, []byte("sdp")) {
			out = append(out, line...)
		}
	}
	return out
}
