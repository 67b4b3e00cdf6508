package webrtcinternals_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/ingest/webrtcinternals"
)

// recorded is a dump that Chromium 156 saved of a call between two peer connections of one page. Addresses, hosts, devices and
// keys are made up, and what it tells of the machine is left out; all else is as saved.
func recorded(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("testdata/chromium-156.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	unzip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unzip)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func options(t testing.TB) decode.Options {
	t.Helper()
	keys, err := label.NewKeyring(bytes.Repeat([]byte("k"), label.MinKeyLen))
	if err != nil {
		t.Fatal(err)
	}
	pseudonyms, err := keys.For("contoso")
	if err != nil {
		t.Fatal(err)
	}
	return decode.Options{Org: "contoso", Region: "eu-1", Pseudonyms: pseudonyms}
}

func mustDecode(t testing.TB, data []byte) *decode.Result {
	t.Helper()
	result, err := webrtcinternals.Decode(data, options(t))
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	check(t, result)
	return result
}

// check holds what is true of every result: valid events, one call, sequence numbers from 1.
func check(t testing.TB, result *decode.Result) {
	t.Helper()
	if len(result.Calls) != 1 || len(result.Events) < 4 {
		t.Fatalf("result has %d calls and %d events", len(result.Calls), len(result.Events))
	}
	for i, e := range result.Events {
		if err := event.Validate(e); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if e.Sequence != uint64(i)+1 || e.CallId != result.Calls[0] || e.Id != decode.EventID(e.Source, e.Sequence) {
			t.Fatalf("event %d: sequence %d, call or id wrong", i, e.Sequence)
		}
	}
}

func ended(result *decode.Result) []*eventpb.StreamEnded {
	var out []*eventpb.StreamEnded
	for _, e := range result.Events {
		if s := e.GetStreamEnded(); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// begin is when the made dumps begin.
var begin = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// made is a dump made for a test: series by "<report id>-<property>", and a log, of one peer connection.
type made struct {
	series map[string]any
	log    []any
}

// row is a series sampled once a second, from a second of the call on.
func row(kind string, from int, values ...any) map[string]any {
	last := from + len(values) - 1
	return spell(kind, begin.Add(time.Duration(from)*time.Second), begin.Add(time.Duration(last)*time.Second), values)
}

func spell(kind string, start, end time.Time, values []any) map[string]any {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	const iso = "2006-01-02T15:04:05.000Z"
	return map[string]any{"startTime": start.Format(iso), "endTime": end.Format(iso), "statsType": kind, "values": string(text)}
}

func (m made) bytes(t testing.TB) []byte {
	t.Helper()
	log := m.log
	if log == nil {
		log = []any{}
	}
	data, err := json.Marshal(map[string]any{
		"getUserMedia": []any{}, "UserAgent": "",
		"PeerConnections": map[string]any{"7-1": map[string]any{"pid": 7, "stats": m.series, "updateLog": log, "url": "https://meet.example/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// inbound is the least series of a received audio stream.
func inbound(packets, lost []any) map[string]any {
	return map[string]any{
		"IT1-ssrc": row("inbound-rtp", 0, repeat(11, len(packets))...), "IT1-kind": row("inbound-rtp", 0, repeat("audio", len(packets))...),
		"IT1-packetsReceived": row("inbound-rtp", 0, packets...), "IT1-packetsLost": row("inbound-rtp", 0, lost...),
	}
}

func repeat(v any, n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// count is n numbers from a first in equal steps.
func count(first, step, n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = first + i*step
	}
	return out
}

// one is the only stream of a result, as words.
func one(t testing.TB, result *decode.Result) string {
	t.Helper()
	all := ended(result)
	if len(all) != 1 {
		t.Fatalf("%d streams, want 1", len(all))
	}
	s := all[0]
	word := func(e fmt.Stringer) string { return strings.ToLower(e.String()[strings.LastIndex(e.String(), "_")+1:]) }
	return fmt.Sprintf("%s %s %d: %d packets, %d lost, from %s to %s", word(s.Direction), word(s.Media), s.Ssrc,
		s.GetPackets(), s.GetPacketsLost(), second(s.StartedAtUs), second(s.EndedAtUs))
}

func second(us int64) string { return time.UnixMicro(us).UTC().Format("15:04:05") }
