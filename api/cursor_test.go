package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/store"
)

func TestCursorKeepsItsPlace(t *testing.T) {
	at := store.CallAt{CallKey: store.CallKey{Org: "contoso", CallID: "a\x00\"é"}, FirstSeen: time.Date(2026, 3, 4, 12, 0, 0, 123456000, time.UTC)}
	got, err := readCursor(callCursor("list", at), "list")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(at, store.CallAt{CallKey: store.CallKey{Org: got.Org, CallID: got.Call}, FirstSeen: got.at()}); diff != "" {
		t.Errorf("place (-want +got):\n%s", diff)
	}
	if got, err := readCursor(nil, "list"); got != nil || err != nil {
		t.Errorf("no token: %v, %v", got, err)
	}
}

// Any text is a token of this list or refused, and what is accepted stays the same place.
func FuzzReadCursor(f *testing.F) {
	f.Add(*entryCursor("list", time.Unix(0, 0), 1))
	f.Add(*callCursor("list", store.CallAt{}))
	f.Add(*callCursor("other", store.CallAt{}))
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
