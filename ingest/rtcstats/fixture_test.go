package rtcstats_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/ingest/rtcstats"
)

// fixtures is the folder of recorded dumps. They are not part of the repository: a test that needs them is skipped without,
// and fails in CI.
func fixtures(t testing.TB) string {
	t.Helper()
	dir := fixtureDir()
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no recorded dumps in %s; set ANTEROOM_FIXTURES", dir)
		}
		t.Skip("no recorded dumps; set ANTEROOM_FIXTURES")
	}
	return dir
}

func fixtureDir() string {
	root := os.Getenv("ANTEROOM_FIXTURES")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "fixtures")
	}
	return filepath.Join(root, "rtcstats")
}

func dumps(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(fixtures(t), "*.dump"))
	if err != nil || len(paths) < 5 {
		t.Fatalf("recorded dumps: found %d, %v", len(paths), err)
	}
	out := map[string][]byte{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(p)] = data
	}
	return out
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
	result, err := rtcstats.Decode(data, options(t))
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

func TestDecodeFixtures(t *testing.T) {
	for name, data := range dumps(t) {
		t.Run(name, func(t *testing.T) {
			first, second := mustDecode(t, data), mustDecode(t, data)
			for i := range first.Events {
				if !proto.Equal(first.Events[i], second.Events[i]) {
					t.Fatalf("event %d differs when decoded again", i)
				}
			}
			if os.Getenv("ANTEROOM_SHOW") != "" {
				show(first)
			}
		})
	}
}

func show(r *decode.Result) {
	for _, e := range r.Events {
		switch p := e.Payload.(type) {
		case *eventpb.Event_StreamReport:
			fmt.Println(e.ObservedAtUs/1000, "report", p.StreamReport.IntervalMs, len(p.StreamReport.Streams))
		default:
			fmt.Println(e.ObservedAtUs/1000, e.String()[:0], p)
		}
	}
}

// Recorded dumps were scrubbed: vouching for an org user gives them no name, and the id of their device is none.
func TestScrubbedIdentity(t *testing.T) {
	for name, data := range dumps(t) {
		opt := options(t)
		opt.OrgUser = true
		result, err := rtcstats.Decode(data, opt)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := &eventpb.Identity{Kind: eventpb.Identity_KIND_ORG_USER}
		if got := result.Events[1].GetParticipantJoined().GetIdentity(); !proto.Equal(want, got) {
			t.Errorf("%s: identity %v, want %v", name, got, want)
		}
	}
}
