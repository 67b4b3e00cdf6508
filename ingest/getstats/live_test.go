package getstats_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/getstats"
	"github.com/anteroom/anteroom/ingest/label"
)

func options(t *testing.T) decode.Options {
	t.Helper()
	keys, err := label.NewKeyring(bytes.Repeat([]byte("k"), label.MinKeyLen))
	if err != nil {
		t.Fatal(err)
	}
	pseudonyms, err := keys.For("contoso")
	if err != nil {
		t.Fatal(err)
	}
	return decode.Options{Org: "contoso", Region: "emea", Pseudonyms: pseudonyms}
}

func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// entry is statistics of one audio stream so many seconds after noon.
func entry(second, packets, lost int, list bool) getstats.Entry {
	report := fmt.Sprintf(`{"id":"IT01","type":"inbound-rtp","kind":"audio","ssrc":7,"codecId":"C","packetsReceived":%d,"packetsLost":%d,"bytesReceived":%d,"jitter":0.016,`+
		`"label":"Sam's headset","address":"192.0.2.7"}`, packets, lost, packets*100)
	codec := `{"id":"C","type":"codec","mimeType":"audio/opus"}`
	stats := `{"IT01":` + report + `,"C":` + codec + `}`
	if list {
		stats = `[` + report + `,` + codec + `]`
	}
	return getstats.Entry{At: noon().Add(time.Duration(second) * time.Second), PeerConnection: "pc", Stats: json.RawMessage(stats)}
}

func TestBatches(t *testing.T) {
	for _, list := range []bool{false, true} {
		l := getstats.NewLive(options(t), "collect/test", "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0 Safari/537.36")
		var events []*eventpb.Event
		for batch := range 3 {
			var entries []getstats.Entry
			for i := range 5 {
				second := batch*5 + i
				entries = append(entries, entry(second, 100+50*second, second, list))
			}
			if batch == 1 {
				entries = append(entries, getstats.Entry{At: noon().Add(9 * time.Second), PeerConnection: "pc", ICEConnectionState: "disconnected"})
				entries = append(entries, getstats.Entry{At: noon().Add(9500 * time.Millisecond), PeerConnection: "pc", ConnectionState: "failed"})
			}
			if _, err := l.Batch(entries, noon().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			got := l.Events()
			if len(got) == 0 {
				t.Errorf("nothing came of batch %d", batch)
			}
			events = append(events, got...)
		}
		events = append(events, l.End("")...)
		types := map[string]int{}
		var packets uint64
		for i, e := range events {
			if e.Sequence != uint64(i)+1 || event.Validate(e) != nil {
				t.Errorf("event %d: sequence %d, %v", i, e.Sequence, event.Validate(e))
			}
			types[event.Type(e)]++
			for _, s := range e.GetStreamReport().GetStreams() {
				packets += s.Packets
			}
			if text := e.String(); bytes.Contains([]byte(text), []byte("Sam")) || bytes.Contains([]byte(text), []byte("192.0.2")) {
				t.Errorf("a name or an address is in %s", text)
			}
			if s := e.GetStreamEnded(); s != nil && (s.GetPackets() != 800 || s.GetPacketsLost() != 14 || s.Codec != "opus" || s.GetJitterMsAvg() != 16) {
				t.Errorf("summary %v", s)
			}
		}
		// What was counted before the first statistics is no one's interval's.
		if packets != 700 || types["anteroom.stream.ended.v1"] != 1 || types["anteroom.call.ended.v1"] != 1 || types["anteroom.client.diagnostic.v1"] != 1 || types["anteroom.call.started.v1"] != 1 {
			t.Errorf("%d packets in reports, events %v", packets, types)
		}
	}
}

func TestBadBatches(t *testing.T) {
	good := entry(1, 100, 0, false)
	for name, c := range map[string]struct {
		field  string
		change func(*getstats.Entry)
	}{
		"shape":        {"entries[0].stats", func(e *getstats.Entry) { e.Stats = json.RawMessage(`7`) }},
		"list":         {"entries[0].stats", func(e *getstats.Entry) { e.Stats = json.RawMessage(`[{"type":"codec"}]`) }},
		"list of text": {"entries[0].stats", func(e *getstats.Entry) { e.Stats = json.RawMessage(`["x"]`) }},
		"legacy":       {"entries[0].stats", func(e *getstats.Entry) { e.Stats = json.RawMessage(`{"a":{"type":"ssrc"}}`) }},
		"too old":      {"entries[0].at_ms", func(e *getstats.Entry) { e.At = noon().Add(-25 * time.Hour) }},
		"to come":      {"entries[0].at_ms", func(e *getstats.Entry) { e.At = noon().Add(time.Hour) }},
		"no name":      {"entries[0].peer_connection", func(e *getstats.Entry) { e.PeerConnection = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			l := getstats.NewLive(options(t), "collect/test", "")
			bad := good
			c.change(&bad)
			broken, err := l.Batch([]getstats.Entry{bad, good}, noon())
			var wrong *decode.Error
			if !errors.As(err, &wrong) || wrong.Field != c.field || broken {
				t.Errorf("%v, broken %v", err, broken)
			}
			// Nothing of it was taken, and the next one may be right.
			if events := l.Events(); len(events) != 0 {
				t.Errorf("%d events of a bad batch", len(events))
			}
			if _, err := l.Batch([]getstats.Entry{good}, noon()); err != nil || len(l.Events()) == 0 {
				t.Errorf("after it: %v", err)
			}
		})
	}
	if _, err := getstats.NewLive(options(t), "collect/test", "").Batch(make([]getstats.Entry, 1001), noon()); err == nil {
		t.Error("1001 entries were taken")
	}
}

// A wrong clock is set right by the last entry of the first batch.
func TestWrongClock(t *testing.T) {
	l := getstats.NewLive(options(t), "collect/test", "")
	off := 5 * time.Hour
	for i := range 3 {
		e := entry(i, 100+50*i, 0, false)
		at := e.At
		e.At = e.At.Add(off)
		if _, err := l.Batch([]getstats.Entry{e}, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range l.End("") {
		if d := time.UnixMicro(e.ObservedAtUs).Sub(noon()); d < -10*time.Second || d > 15*time.Second {
			t.Errorf("%s is at %v of the call", event.Type(e), d)
		}
	}
}
