package api

import (
	"strings"
	"testing"
)

// A limit above what decoders read would promise what doesn't happen.
func TestImportLimitIsOneThatHolds(t *testing.T) {
	for _, c := range []struct {
		bytes int64
		want  string
	}{
		{0, ""},
		{1, ""},
		{256 << 20, ""},
		{256<<20 + 1, "max_import_bytes: 268435457 is above 268435456"},
		{1 << 40, "max_import_bytes: "},
		{-1, "max_import_bytes: is negative"},
	} {
		err := Config{MaxImportBytes: c.bytes}.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%d bytes: %v, want %q", c.bytes, err, c.want)
		}
	}
}
