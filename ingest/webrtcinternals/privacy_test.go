package webrtcinternals_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// told are what the recorded dump says of its user: the page's address, devices, and (found below) addresses and ids.
var told = []string{"meet.example", "room-of-dana", "Dana's Headset (0000:d3a0)", "Dana's Laptop Camera (0000:d3a1)", "0000:d3a1", "192.0.2.10", "198.51.100.21"}

var (
	literals = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	uuids    = regexp.MustCompile(`\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)
)

func TestPrivacy(t *testing.T) {
	data := recorded(t)
	secrets := slices.Concat(told, literals.FindAllString(string(data), -1), uuids.FindAllString(string(data), -1))
	var d struct {
		PeerConnections map[string]struct{ Stats map[string]json.RawMessage }
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	for _, pc := range d.PeerConnections {
		for name := range pc.Stats {
			if id, ok := strings.CutSuffix(name, "-candidateType"); ok {
				secrets = append(secrets, id) // "IRJQrEhb0"
			}
		}
	}
	result := mustDecode(t, data)
	var all []byte
	for _, e := range result.Events {
		binary, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		text, err := protojson.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, binary...), text...)
	}
	all = bytes.ToLower(all)
	// The search finds what is there: a codec is in both.
	if !bytes.Contains(data, []byte("opus")) || !bytes.Contains(all, []byte("opus")) {
		t.Fatal("the search does not find what must be there")
	}
	if len(secrets) < len(told)+20 {
		t.Fatalf("only %d secrets to look for", len(secrets))
	}
	for _, secret := range secrets {
		if !bytes.Contains(data, []byte(secret)) {
			t.Errorf("%q is not in the dump, so that its absence from the events would prove nothing", secret)
		}
		if bytes.Contains(all, bytes.ToLower([]byte(secret))) {
			t.Errorf("%q is in the events", secret)
		}
	}
}
