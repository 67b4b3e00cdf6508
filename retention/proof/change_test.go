package proof_test

import (
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"github.com/anteroom/anteroom/retention/proof"
)

func TestChangesHaveOneForm(t *testing.T) {
	c := proof.Change{
		Schema: proof.Schema, What: proof.LeafHold, Organization: "contoso", ID: "7", Version: 2, By: "ada",
		At: proof.Time(time.Date(2026, 3, 4, 12, 0, 0, 1000, time.UTC)), Value: json.RawMessage(`{"reason":"<Case \u003e 7>","nonce":"00"}`),
	}
	text, err := c.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"schema":1,"what":"hold","organization":"contoso","id":"7","version":2,"by":"ada","at":"2026-03-04T12:00:00.000001Z",` +
		`"value":{"reason":"<Case \u003e 7>","nonce":"00"}}`
	if string(text) != want {
		t.Errorf("form %s", text)
	}
	again, err := proof.ParseChange(text)
	if err != nil || again.LeafID() != "hold:7:2" {
		t.Errorf("read again: %+v, %v", again, err)
	}
	leaf, err := again.Leaf("emea")
	if err != nil || leaf.Digest != sha256.Sum256([]byte(want)) || leaf.Type != proof.LeafHold || leaf.ID != "hold:7:2" {
		t.Errorf("leaf %+v, %v", leaf, err)
	}
	for _, other := range []string{want + " ", want[:len(want)-1] + `,"x":1}`, `{}`} {
		if _, err := proof.ParseChange([]byte(other)); err == nil {
			t.Errorf("read %s", other)
		}
	}
}
