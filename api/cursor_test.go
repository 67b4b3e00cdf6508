package api

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
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
	if got, err := readCursor(&text, "another list"); err == nil {
		t.Errorf("in another list: %+v", got)
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

// A token of another organisation's list, of a list with other filters, or one that was changed is refused, and told by the parameter's name.
func TestPageTokensAreOfTheirList(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	for _, org := range []string{"contoso", "fabrikam"} {
		for i, call := range []string{"a", "b", "c"} {
			r.env.Org = org
			r.call(call, i)
		}
	}
	r.insert()
	ask := func(status int, who string, query url.Values) answer {
		t.Helper()
		return s.send(status, who, http.MethodGet, callsRoute, callsRoute+"?"+query.Encode(), nil)
	}
	first := read[callPage](t, ask(200, "admin@contoso", url.Values{"page_size": {"1"}}))
	token := *first.Next
	with := func(token string, more ...string) url.Values {
		q := url.Values{"page_size": {"1"}, "page_token": {token}}
		for i := 0; i < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return q
	}
	if got := read[callPage](t, ask(200, "admin@contoso", with(token))); got.Calls[0].CallID == first.Calls[0].CallID {
		t.Errorf("the next page is the first: %+v", got)
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	edited := func(old, with string) string {
		changed := strings.Replace(string(text), old, with, 1)
		if changed == string(text) {
			t.Fatalf("%s has no %s", text, old)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(changed))
	}
	for name, c := range map[string]struct {
		who   string
		query url.Values
	}{
		"another organisation's": {"admin@fabrikam", with(token)},
		"with another filter":    {"admin@contoso", with(token, "verdict", "good")},
		"with another call":      {"admin@contoso", with(edited(`"call":"`, `"call":"z`))},
		"with another time":      {"admin@contoso", with(edited(`"at":1`, `"at":2`))},
		"without signature":      {"admin@contoso", with(edited(`"mac"`, `"mac ":"","mac"`))},
		"of an older version":    {"admin@contoso", with(edited(`"v":3`, `"v":2`))},
	} {
		got := ask(400, c.who, c.query)
		if problem := read[struct{ Code, Parameter string }](t, got); problem.Code != string(CodeInvalidPageToken) || problem.Parameter != "page_token" {
			t.Errorf("%s: %s", name, got.body)
		}
	}
}
