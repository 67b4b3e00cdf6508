package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"
)

// cursorVersion rises when tokens of before can't be read any more.
const cursorVersion = 3

// cursor is the place after which a list goes on. Clients see it as opaque text, and hand it back as it is: what they change is refused.
type cursor struct {
	Version int `json:"v"`
	// Of is the fingerprint of the list: a token is good for the list that it came from. It is no part of the token, which is signed with it.
	Of string `json:"-"`
	// AtUs is the instant of the last entry, microseconds since the epoch, UTC.
	AtUs int64 `json:"at"`
	// Call of the last entry of the list of calls, and what the list is ordered by.
	Call  string `json:"call,omitempty"`
	Value int64  `json:"value,omitempty"`
	// Tie tells entries of one instant apart, in the other lists.
	Tie uint64 `json:"tie,omitempty"`
	// Mac is the signature of the rest.
	Mac string `json:"mac,omitempty"`
}

func (c cursor) at() time.Time { return time.UnixMicro(c.AtUs).UTC() }

// signature is that of all but itself.
func (c cursor) signature() string {
	c.Mac = ""
	text, err := json.Marshal(c)
	if err != nil {
		return "" // Numbers and text always marshal.
	}
	mac := hmac.New(sha256.New, []byte(c.Of))
	mac.Write(text)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

func (c cursor) token() string {
	c.Mac = c.signature()
	text, err := json.Marshal(c)
	if err != nil {
		return "" // Numbers and text always marshal.
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// readCursor reads a page token of the list that fingerprint stands for; nil for none.
func readCursor(token *string, fingerprint string) (*cursor, error) {
	return readPlace(token, "page_token", fingerprint)
}

// readPlace is readCursor for a parameter of another name.
func readPlace(token *string, parameter, fingerprint string) (*cursor, error) {
	if token == nil {
		return nil, nil //nolint:nilnil // no token, no place
	}
	bad := &Error{Code: CodeInvalidPageToken, Parameter: parameter}
	text, err := base64.RawURLEncoding.Strict().DecodeString(*token)
	if err != nil {
		return nil, bad
	}
	var c cursor
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil || decoder.More() || c.Version != cursorVersion {
		return nil, bad
	}
	c.Of = fingerprint
	if !hmac.Equal([]byte(c.Mac), []byte(c.signature())) {
		return nil, bad
	}
	c.Mac = ""
	const year2200 = 7258118400000000
	if c.AtUs < -year2200 || c.AtUs > year2200 {
		return nil, bad
	}
	return &c, nil
}

// lister makes fingerprints for one caller's organisation.
type lister struct {
	key        []byte
	org, about string
}

// fingerprint stands for a list: whose it is, its address and its parameters, without those of paging. Nobody else can make one, so that it also signs places
// in the list.
func (l lister) fingerprint(path string, query url.Values) string {
	query = maps.Clone(query)
	for _, paging := range []string{"page_token", "page_size", skipToken} {
		query.Del(paging)
	}
	mac := hmac.New(sha256.New, l.key)
	fmt.Fprintf(mac, "%q %q %q %q", l.org, l.about, path, query.Encode())
	return string(mac.Sum(nil))
}

// listerKey is the context's key for the request's lister.
type listerKey struct{}

// fingerprintOf stands for the list that a request asks for.
func fingerprintOf(ctx context.Context) string {
	r := requestIn(ctx)
	if r == nil {
		return ""
	}
	return fingerprintAt(ctx, r.URL.EscapedPath(), r.URL.Query())
}

// fingerprintAt is fingerprintOf for an address that is handed out in another list's answer.
func fingerprintAt(ctx context.Context, path string, query url.Values) string {
	l, _ := ctx.Value(listerKey{}).(lister)
	return l.fingerprint(path, query)
}

func entryCursor(fingerprint string, at time.Time, tie uint64) *string {
	token := cursor{Version: cursorVersion, Of: fingerprint, AtUs: at.UnixMicro(), Tie: tie}.token()
	return &token
}

// window reads from and to, and brings them into the span of times that the store can hold.
func window(from, to *time.Time) (time.Time, time.Time, error) {
	if from != nil && to != nil && !from.Before(*to) {
		return time.Time{}, time.Time{}, invalidParameter("to", "The parameter to must be after the parameter from.")
	}
	return clamp(from), clamp(to), nil
}

func clamp(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	first, last := time.Unix(0, 0).UTC(), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	switch {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t.UTC()
}
