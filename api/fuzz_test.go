package api

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/directory"
)

// Whatever stands in a body, it is held against the document of each operation without falling, and is refused with a problem that says where, short enough to be
// told; what is taken can be merged into something that is there.
func FuzzBody(f *testing.F) {
	doc, _, err := readDocument()
	if err != nil {
		f.Fatal(err)
	}
	var ops []operation
	for _, op := range operationsOf(doc) {
		if body := op.route.Operation.RequestBody; body != nil && body.Value.Content.Get("application/json") != nil {
			ops = append(ops, op)
		}
	}
	for _, seed := range []string{
		`{}`, `[]`, `null`, `{"name":"\u202egpj.exe","settings":{"lobby_bypass":null}}`, `{"name":"` + strings.Repeat("Z\u0301", 1000) + `"}`, `{"id":"a\u0000b"}`,
		strings.Repeat(`{"a":`, 2000) + `1` + strings.Repeat(`}`, 2000), `{"a":1e999}`, `{"\ud800":1}`, `{"webhooks":[{"url":"http://169.254.169.254/"}]}`,
	} {
		f.Add([]byte(seed), uint8(0))
	}
	f.Fuzz(func(t *testing.T, text []byte, which uint8) {
		op := ops[int(which)%len(ops)]
		err := checkBody(text, op.route.Operation.RequestBody.Value.Content.Get("application/json").Schema.Value)
		var known *Error
		if err != nil && !errors.As(err, &known) {
			t.Fatalf("no problem: %v", err)
		}
		if err != nil && len(known.Field)+len(known.Detail) > 20_000 {
			t.Fatalf("a problem of %d bytes", len(known.Field)+len(known.Detail))
		}
		if err != nil || !json.Valid(text) {
			return
		}
		old := directory.Organization{ID: "contoso", Name: "Contoso", Region: "emea"}.WithDefaults()
		if _, err := merge(old, json.RawMessage(text)); err != nil && !errors.As(err, &known) {
			t.Fatalf("merged: %v", err)
		}
	})
}
