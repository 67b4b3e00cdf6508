package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCursorKeepsItsPlace(t *testing.T) {
	want := cursor{Version: cursorVersion, Of: "list", AtUs: 1772625600123456, Call: "a\x00\"é", Value: -1}
	text := want.token()
	got, err := readCursor(&text, "list")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("place (-want +got):\n%s", diff)
	}
	if got, err := readCursor(nil, "list"); got != nil || err != nil {
		t.Errorf("no token: %v, %v", got, err)
	}
}

// Any text is a token of this list or refused, and what is accepted stays the same place.
func FuzzReadCursor(f *testing.F) {
	f.Add(*entryCursor("list", time.Unix(0, 0), 1))
	f.Add(cursor{Version: cursorVersion, Of: "list", Call: "c", Value: 1}.token())
	f.Add(cursor{Version: cursorVersion, Of: "other"}.token())
	f.Add("e30")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		got, err := readCursor(&token, "list")
		if err != nil {
			if asError(err).Code != CodeInvalidPageToken {
				t.Errorf("refused with %v", err)
			}
			return
		}
		text := got.token()
		again, err := readCursor(&text, "list")
		if err != nil || *again != *got {
			t.Errorf("%+v became %+v, %v", got, again, err)
		}
	})
}
