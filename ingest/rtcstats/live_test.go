package rtcstats_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/rtcstats"
	"github.com/anteroom/anteroom/internal/demo"
)

// feed sends the lines of a dump as messages, each a second after the last; settle says after which lines an interval is cut, as when a connection
// breaks.
func feed(t *testing.T, l *rtcstats.Live, lines [][]byte, now time.Time, settle func(int) bool) []*eventpb.Event {
	t.Helper()
	var out []*eventpb.Event
	for i, line := range lines {
		if _, err := l.Message(line, now); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if settle(i) {
			l.Settle()
		}
		out = append(out, l.Events()...)
	}
	return out
}

func linesOf(data []byte) [][]byte {
	var out [][]byte
	for _, line := range bytes.Split(data, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, line)
		}
	}
	return out
}

// flows are what reports say of a stream in sum.
type flows struct {
	Packets, Bytes, Frames uint64
	Lost                   int64
}

func flowsOf(events []*eventpb.Event) map[string]flows {
	out := map[string]flows{}
	for _, e := range events {
		for _, s := range e.GetStreamReport().GetStreams() {
			f := out[string(s.StreamId)]
			f.Packets, f.Bytes, f.Frames, f.Lost = f.Packets+s.Packets, f.Bytes+s.Bytes, f.Frames+s.Frames, f.Lost+s.PacketsLost
			out[string(s.StreamId)] = f
		}
	}
	return out
}

func summaries(events []*eventpb.Event) []*eventpb.StreamEnded {
	var out []*eventpb.StreamEnded
	for _, e := range events {
		if s := e.GetStreamEnded(); s != nil {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *eventpb.StreamEnded) int { return cmp.Compare(string(a.StreamId), string(b.StreamId)) })
	return out
}

// What is sent piece by piece says the same as the dump of it: counters in all intervals together, summaries, states.
func TestLiveSaysWhatTheDumpSays(t *testing.T) {
	files := map[string][]byte{}
	for _, f := range demo.Files() {
		files[f.Name] = f.Data
	}
	for name, data := range files {
		whole := mustDecode(t, data)
		source := whole.Events[0].Source
		now := time.UnixMicro(whole.Events[len(whole.Events)-1].ObservedAtUs)
		for how, settle := range map[string]func(int) bool{
			"by intervals": func(int) bool { return false }, "cut now and then": func(i int) bool { return i%37 == 0 },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				l := rtcstats.NewLive(options(t), source, rtcstats.Jitsi, "")
				events := feed(t, l, linesOf(data), now, settle)
				early := len(events)
				events = append(events, l.End("")...)
				if early < len(whole.Events)/3 {
					t.Errorf("only %d of %d events came before the end", early, len(events))
				}
				for i, e := range events {
					if e.Sequence != uint64(i)+1 || event.Validate(e) != nil || e.CallId != whole.Calls[0] {
						t.Fatalf("event %d: sequence %d, call %s, %v", i, e.Sequence, e.CallId, event.Validate(e))
					}
				}
				if diff := gocmp.Diff(flowsOf(whole.Events), flowsOf(events)); diff != "" {
					t.Errorf("reports in sum (-whole +live):\n%s", diff)
				}
				ignore := protocmp.IgnoreFields(&eventpb.StreamEnded{}, "loss_ratio_max", "jitter_buffer_ms_max", "healed_ratio_max", "bitrate_max")
				options := []gocmp.Option{protocmp.Transform()}
				if how != "by intervals" { // Then the peaks are those of other intervals.
					options = append(options, ignore)
				}
				if diff := gocmp.Diff(summaries(whole.Events), summaries(events), options...); diff != "" {
					t.Errorf("summaries (-whole +live):\n%s", diff)
				}
				if diff := gocmp.Diff(othersOf(whole.Events), othersOf(events)); diff != "" {
					t.Errorf("the rest (-whole +live):\n%s", diff)
				}
			})
		}
	}
}

// othersOf counts events by type, without reports, of which there may be more.
func othersOf(events []*eventpb.Event) map[string]int {
	out := map[string]int{}
	for _, e := range events {
		if e.GetStreamReport() == nil {
			out[event.Type(e)]++
		}
	}
	out["anteroom.call.started.v1"] = min(out["anteroom.call.started.v1"], 1) // Said again when more is known of the client.
	out["anteroom.participant.joined.v1"] = min(out["anteroom.participant.joined.v1"], 1)
	return out
}

// A call whose client broke off ends where it was heard of last, with all that was known of it and the reason.
func TestLiveThatBreaksOff(t *testing.T) {
	data := demo.Files()[0].Data
	whole := mustDecode(t, data)
	l := rtcstats.NewLive(options(t), whole.Events[0].Source, rtcstats.Jitsi, "")
	events := feed(t, l, linesOf(data), time.UnixMicro(whole.Events[len(whole.Events)-1].ObservedAtUs), func(int) bool { return false })
	events = append(events, l.End("broken_off")...)
	got := othersOf(events)
	if got["anteroom.call.ended.v1"] != 1 || got["anteroom.participant.left.v1"] != 1 || got["anteroom.stream.ended.v1"] != 6 {
		t.Errorf("events %v", got)
	}
	if end := events[len(events)-1]; end.GetCallEnded().GetReason() != "broken_off" || end.GetCallEnded().GetEndedAtUs() != whole.Events[len(whole.Events)-1].GetCallEnded().GetEndedAtUs() {
		t.Errorf("the end is %v", end)
	}
	if diff := gocmp.Diff(flowsOf(whole.Events), flowsOf(events)); diff != "" {
		t.Errorf("reports in sum (-whole +live):\n%s", diff)
	}
}

func TestLiveOfTheSuccessor(t *testing.T) {
	lines := linesOf([]byte(successorDump))
	l := rtcstats.NewLive(options(t), "collect/test", rtcstats.Successor, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36")
	events := feed(t, l, lines[2:len(lines)-1], time.UnixMilli(1772359205000), func(int) bool { return false })
	events = append(events, l.End("")...)
	whole := mustDecode(t, []byte(successorDump))
	if diff := gocmp.Diff(othersOf(whole.Events), othersOf(events)); diff != "" {
		t.Errorf("events (-whole +live):\n%s", diff)
	}
	for i, s := range summaries(whole.Events) {
		live := proto.CloneOf(summaries(events)[i])
		if s.GetPackets()+live.GetPackets() == 0 {
			t.Errorf("nothing counted: %v", live)
		}
	}
	if joined := events[1].GetParticipantJoined(); joined.ClientFamily != "Chrome" || joined.GetIdentity().GetKind() != eventpb.Identity_KIND_GUEST {
		t.Errorf("participant %v", joined)
	}
}

// A message that came before is not counted again, and one that never came is known to be missing.
func TestLiveNumbers(t *testing.T) {
	now := time.UnixMilli(1772359205000)
	l := rtcstats.NewLive(options(t), "collect/test", rtcstats.Jitsi, "")
	stats := func(n, packets string) string {
		return `["getstats","PC_0",{"a":{"timestamp":0,"type":"inbound-rtp","kind":"audio","ssrc":7,"packetsReceived":` + packets + `}},17723592` + n + `000,` + n + `]`
	}
	for _, m := range []string{stats("05", "10"), stats("06", "20"), stats("06", "999"), stats("05", "999"), stats("09", "30")} {
		m = strings.ReplaceAll(m, ",0", ",") // JSON has no numbers with zeroes in front.
		if _, err := l.Message([]byte(m), now.Add(20*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if l.Received() != 9 || l.Gaps() != 6 {
		t.Errorf("received %d, gaps %d", l.Received(), l.Gaps())
	}
	if got := summaries(l.End("")); len(got) != 1 || got[0].GetPackets() != 30 {
		t.Errorf("summaries %v", got)
	}
}

func TestLiveRefuses(t *testing.T) {
	now := time.UnixMilli(1772359205000)
	for message, want := range map[string]string{
		``: "empty", `x`: "not a JSON array", `{"a":1}`: "a JSON object", `["getstats","PC_0"]`: "must have", `["getstats",["x"],{},1772359205000]`: "[1]",
		`[7,"PC_0",{},1772359205000,1]`: "[0]", `["getstats","PC_0",7,1772359205000,1]`: "not an object", `["getstats","PC_0",{},"soon",1]`: "[3]",
		`["getstats","PC_0",{},1772359205000,"x"]`: "[4]", `["getstats","PC_0",{},1772359205000,0]`: "[4]",
		`["getstats","PC_0",{"a":{"type":"googCandidatePair"}},1772359205000,1]`: "legacy",
	} {
		l := rtcstats.NewLive(options(t), "collect/test", rtcstats.Jitsi, "")
		_, err := l.Message([]byte(message), now)
		var bad *decode.Error
		if !errors.As(err, &bad) || !strings.Contains(bad.Error(), want) {
			t.Errorf("%s: %v, want %q", message, err, want)
		}
		if events := l.End("broken_off"); len(events) != 0 {
			t.Errorf("%s: %d events", message, len(events))
		}
	}
}

// A client's wrong clock is set right by that of the server, and one that is set while the call goes on is refused.
func TestLiveOfAWrongClock(t *testing.T) {
	stats := func(at time.Time, n int) []byte {
		return fmt.Appendf(nil, `["getstats","PC_0",{"a":{"timestamp":0,"type":"inbound-rtp","kind":"audio","ssrc":7,"packetsReceived":%d}},%d,%d]`, 50*n, at.UnixMilli(), n)
	}
	for name, off := range map[string]time.Duration{
		"right": 0, "a little old": -10 * time.Minute, "hours behind": -3 * time.Hour, "a year ahead": 365 * 24 * time.Hour, "years behind": -10 * 365 * 24 * time.Hour,
	} {
		begin := time.UnixMilli(1772359205000)
		want := begin // What is a little old was kept by a client that was cut off.
		if off > -15*time.Minute && off < 0 {
			want = begin.Add(off)
		}
		l := rtcstats.NewLive(options(t), "collect/test", rtcstats.Jitsi, "")
		for i := range 25 {
			at := begin.Add(time.Duration(i) * time.Second)
			if _, err := l.Message(stats(at.Add(off), i+1), at); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if _, err := l.Message(stats(begin.Add(off+time.Hour), 26), begin); err == nil || !strings.Contains(err.Error(), "ahead") {
			t.Errorf("%s: a clock that was set is taken: %v", name, err)
		}
		for _, e := range l.End("") {
			if d := time.UnixMicro(e.ObservedAtUs).Sub(want); d < -10*time.Second || d > 35*time.Second {
				t.Errorf("%s: %s is at %v of the call", name, event.Type(e), d)
			}
			if s := e.GetStreamEnded(); s != nil && time.UnixMicro(s.StartedAtUs).Sub(want).Abs() > 10*time.Second {
				t.Errorf("%s: the stream began at %v", name, time.UnixMicro(s.StartedAtUs))
			}
		}
	}
}

// A session has narrower bounds than a file: a process has thousands.
func TestLiveBounds(t *testing.T) {
	now := time.UnixMilli(1772359205000)
	for name, c := range map[string]struct {
		report string
		n      int
		want   string
	}{
		"streams": {`"%d":{"type":"inbound-rtp","kind":"audio","ssrc":%d}`, 1025, "1024 streams"},
		"reports": {`"%d":{"type":"codec","ssrc":%d}`, 8193, "8192 reports"},
	} {
		var reports []string
		for i := range c.n {
			reports = append(reports, fmt.Sprintf(c.report, i, i+1))
		}
		l := rtcstats.NewLive(options(t), "collect/test", rtcstats.Jitsi, "")
		_, err := l.Message([]byte(`["getstats","PC_0",{`+strings.Join(reports, ",")+`},1772359205000,1]`), now)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
