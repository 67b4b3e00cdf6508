package rtcstats_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/rtcstats"
)

// slot is a place in a peer connection's statistics: a report id under which one stream after the other may be reported.
type slot struct {
	id            string
	direction     eventpb.Direction
	ssrc          uint32
	packets, lost int
	shown         int // packets at the last reading that was written
	hidden        bool
}

// history is a made call: what is written down, and what every SSRC must come to, counted as it happens.
type history struct {
	t       *rapid.T
	lines   []string
	written map[string]map[string]map[string]any // peer, report id, property
	want    map[trackKey]figures
	ssrc    uint32
}

const historyStart = 1772359200000

func (h *history) add(pc string, second int, method string, value any) {
	text, err := json.Marshal([]any{method, pc, value, historyStart + second*1000})
	if err != nil {
		h.t.Fatal(err)
	}
	h.lines = append(h.lines, string(text))
}

func (h *history) count(s *slot, packets, lost int) {
	key := trackKey{s.direction, s.ssrc}
	f := h.want[key]
	h.want[key] = figures{f.Packets + uint64(packets), f.Lost + int64(lost)}
}

// step lets a second pass for a slot: packets go by, come late, the counters restart, another SSRC takes the place, or the report
// is not shown for a while.
func (h *history) step(s *slot) {
	if s.hidden = rapid.IntRange(0, 5).Draw(h.t, "hidden") == 0; s.hidden {
		more := rapid.IntRange(0, 100).Draw(h.t, "packets in hiding")
		s.packets += more // told by the next reading
		return
	}
	switch rapid.SampledFrom([]string{"flow", "flow", "flow", "idle", "restart", "change"}).Draw(h.t, "what happens") {
	case "restart": // is to be seen only where fewer packets are told than before
		if s.shown > 0 {
			s.packets, s.lost = rapid.IntRange(0, s.shown-1).Draw(h.t, "packets after"), rapid.IntRange(0, 20).Draw(h.t, "lost after")
			s.shown = s.packets
			h.count(s, s.packets, s.lost)
			return
		}
	case "change":
		h.ssrc++
		s.ssrc, s.packets, s.lost, s.shown = h.ssrc, 0, 0, 0
	case "flow":
		lost := rapid.IntRange(-15, 30).Draw(h.t, "lost, or found again")
		s.packets += rapid.IntRange(0, 200).Draw(h.t, "packets")
		s.lost += lost
		h.count(s, 0, lost)
	}
	h.count(s, s.packets-s.shown, 0)
	s.shown = s.packets
}

// reports are a slot's reports in full.
func (s *slot) reports() map[string]map[string]any {
	if s.hidden {
		return nil
	}
	if s.direction == eventpb.Direction_DIRECTION_INBOUND {
		return map[string]map[string]any{s.id: {
			"type": "inbound-rtp", "kind": "audio", "ssrc": s.ssrc, "timestamp": 0, "packetsReceived": s.packets, "packetsLost": s.lost,
		}}
	}
	return map[string]map[string]any{
		s.id:       {"type": "outbound-rtp", "kind": "video", "ssrc": s.ssrc, "timestamp": 0, "packetsSent": s.packets, "remoteId": s.id + "R"},
		s.id + "R": {"type": "remote-inbound-rtp", "ssrc": s.ssrc, "localId": s.id, "timestamp": 0, "packetsLost": s.lost},
	}
}

// write puts down what changed since the last statistics of the peer connection, as the recorders do.
func (h *history) write(pc string, second int, slots []*slot) {
	value := map[string]any{"timestamp": historyStart + second*1000}
	now := map[string]map[string]any{}
	for _, s := range slots {
		for id, report := range s.reports() {
			changed := map[string]any{}
			for name, v := range report {
				// The time always changes; it is written as 0 for the common one.
				if before, ok := h.written[pc][id][name]; !ok || before != v || name == "timestamp" {
					changed[name] = v
				}
			}
			now[id], value[id] = report, changed
		}
	}
	h.written[pc] = now
	h.add(pc, second, "getstats", value)
}

// TestCountersAddUp: whatever streams go through, each SSRC of each direction comes to the packets and lost packets that really
// went by, and so do its samples.
func TestCountersAddUp(t *testing.T) {
	opt := options(t)
	rapid.Check(t, func(t *rapid.T) {
		h := &history{t: t, written: map[string]map[string]map[string]any{}, want: map[trackKey]figures{}, ssrc: 100}
		peers := map[string][]*slot{}
		var names []string
		for i := range rapid.IntRange(1, 3).Draw(t, "peers") {
			pc := fmt.Sprintf("PC_%d", i)
			names = append(names, pc)
			h.add(pc, 0, "create", map[string]any{})
			for j := range rapid.IntRange(1, 3).Draw(t, "streams") {
				h.ssrc++
				direction := rapid.SampledFrom([]eventpb.Direction{
					eventpb.Direction_DIRECTION_INBOUND, eventpb.Direction_DIRECTION_OUTBOUND,
				}).Draw(t, "direction")
				// The same report ids in each peer connection: they are told apart by it.
				peers[pc] = append(peers[pc], &slot{id: fmt.Sprintf("S%d", j), direction: direction, ssrc: h.ssrc})
			}
		}
		for second := range rapid.IntRange(1, 40).Draw(t, "seconds") {
			for _, pc := range names {
				for _, s := range peers[pc] {
					h.step(s)
				}
				h.write(pc, second+1, peers[pc])
			}
		}
		result, err := rtcstats.Decode([]byte(strings.Join(h.lines, "\n")), opt)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, h.want, result)
	})
}

func compare(t *rapid.T, want map[trackKey]figures, result *decode.Result) {
	got, sums := map[trackKey]figures{}, map[trackKey]figures{}
	for _, e := range result.Events {
		if s := e.GetStreamEnded(); s != nil {
			got[trackKey{s.Direction, s.Ssrc}] = figures{s.GetPackets(), s.GetPacketsLost()}
		}
		for _, s := range e.GetStreamReport().GetStreams() {
			key := trackKey{s.Direction, s.Ssrc}
			was := sums[key]
			sums[key] = figures{was.Packets + s.Packets, was.Lost + s.PacketsLost}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("summaries (-what went by +told):\n%s", diff)
	}
	if diff := cmp.Diff(want, sums); diff != "" {
		t.Fatalf("samples (-what went by +told):\n%s", diff)
	}
}
