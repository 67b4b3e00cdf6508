package rtcstats_test

import (
	"testing"

	"github.com/anteroom/anteroom/ingest/rtcstats"
)

// A dump of 600 KB should take well under 100 ms.
func BenchmarkDecode(b *testing.B) {
	for name, data := range dumps(b) {
		b.Run(name, func(b *testing.B) {
			opt := options(b)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rtcstats.Decode(data, opt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
