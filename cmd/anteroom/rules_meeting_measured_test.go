package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	mediaclient "github.com/anteroom/anteroom/media/client"
)

// measured is a stream of a call.
type measured struct {
	StreamID         string   `json:"stream_id"`
	ParticipantID    string   `json:"participant_id"`
	ParticipantLabel string   `json:"participant_label"`
	Direction        string   `json:"direction"`
	Media            string   `json:"media"`
	Codec            string   `json:"codec"`
	Packets          uint64   `json:"packets"`
	PacketsLost      int64    `json:"packets_lost"`
	Bytes            uint64   `json:"bytes"`
	EndedAt          string   `json:"ended_at"`
	JitterMsAvg      *float64 `json:"jitter_ms_avg"`
	RTTMsAvg         *float64 `json:"rtt_ms_avg"`
	Transport        string   `json:"transport"`
	Partial          bool     `json:"partial"`
}

type measuredCall struct {
	Streams []measured `json:"streams"`
}

// D2, D3: while a meeting runs, nothing of its guests is in call analytics; after the end its guests' streams are there, by the name Anonymous,
// with the figures of the media that flowed.
func TestRule_D3_GuestsStreamsAppearAfterTheMeeting(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, nil)
	host, guest := s.host, s.inside("Greta Garbo")
	call := host.Joined().CallID
	sent := map[string]*mediaclient.Publication{}
	for _, source := range []mediaclient.Source{mic, camera, screen} {
		sent[source.Kind] = guest.publish(source)[0]
	}
	hosts := host.publish(mic, camera)
	host.gets(guest, "audio", "video", "screen")
	guest.gets(host, "audio", "video")
	guest.say("hello")
	host.awaitChat("hello")

	// While it runs: the host's streams of the first report are there, and nothing of the guest.
	running := rows(s.house, call, "/streams", func(c measuredCall) bool { return len(c.Streams) >= 2 })
	for _, stream := range running.Streams {
		if stream.ParticipantID != host.id() || stream.ParticipantLabel != organizer {
			t.Errorf("while the meeting runs: %+v", stream)
		}
	}
	for _, part := range []string{
		"/" + call, "/" + call + "/participants", "/" + call + "/streams", "/" + call + "/timeline", "/" + call + "/issues",
		"/" + call + "/notices", "/" + call + "/samples", "/" + call + "/presence", "?q=" + call,
	} {
		got := s.house.rig.must(t, http.StatusOK, s.house.admin, http.MethodGet, "/v1/calls"+part, nil)
		counted := strings.ReplaceAll(string(got.body), `"anonymous":0`, "") // how many of them are counted: none
		if hits := search([]byte(counted), []string{guest.id(), "Anonymous", "Greta", "guest"}); len(hits) > 0 {
			t.Errorf("while the meeting runs, %s has %q", part, hits)
		}
	}
	rows(s.house, call, "", func(c struct {
		Participants int `json:"participants"`
	},
	) bool {
		return c.Participants == 1
	})

	// No more is sent; what was sent has come. Then the end.
	for _, pub := range sent {
		pub.Pause(true)
	}
	for _, pub := range hosts {
		pub.Pause(true)
	}
	settled := func(p, from *person) uint64 {
		t.Helper()
		last := uint64(0)
		eventually(t, p.name+" has got all", func() (bool, string) {
			p.do(p.Ping(p.soon()))
			n := p.packetsOf(from, "audio") + p.packetsOf(from, "video") + p.packetsOf(from, "screen")
			same := n == last && n > 0
			last = n
			return same, fmt.Sprintf("%d packets", n)
		})
		return last
	}
	settled(host, guest)
	settled(guest, host)
	if ended := s.ended(); ended != call {
		t.Fatalf("call %s ended, want %s", ended, call)
	}
	after := rows(s.house, call, "/streams", func(c measuredCall) bool {
		n := 0
		for _, stream := range c.Streams {
			if stream.EndedAt != "" && !stream.Partial {
				n++
			}
		}
		return n >= 10
	})
	if len(after.Streams) != 10 {
		t.Errorf("%d streams, want 5 sent and 5 received: %+v", len(after.Streams), after.Streams)
	}
	for _, stream := range after.Streams {
		s.plausible(call, stream, guest, sent, hosts)
	}
	participants := s.house.rig.must(t, http.StatusOK, s.house.admin, http.MethodGet, "/v1/calls/"+call+"/participants", nil)
	if hits := search(participants.body, []string{"Greta", "sub-", s.app.id, "127.0.0.1"}); len(hits) > 0 {
		t.Errorf("the participants have %q: %s", hits, participants.body)
	}
	if hits := search(participants.body, []string{guest.id(), `"label":"Anonymous"`, `"kind":"guest"`, `"label":"olga"`}); len(hits) != 4 {
		t.Errorf("the participants have only %q: %s", hits, participants.body)
	}
	rows(s.house, call, "", func(c struct {
		Participants int `json:"participants"`
	},
	) bool {
		return c.Participants == 2
	})
	s.logged(call, allowed(guest, "join"), allowed(guest, "use:unmuteMic"), allowed(guest, "use:sendChat"))
}

// plausible holds a stream's figures against the clients' own.
func (s *stage) plausible(call string, stream measured, guest *person, sent map[string]*mediaclient.Publication, hosts []*mediaclient.Publication) {
	t, host := s.t, s.host
	t.Helper()
	who, from, label := host, guest, organizer
	if stream.ParticipantID == guest.id() {
		who, from, label = guest, host, "Anonymous"
	} else if stream.ParticipantID != host.id() {
		t.Errorf("a stream of nobody: %+v", stream)
		return
	}
	if stream.ParticipantLabel != label || stream.PacketsLost != 0 || stream.Bytes == 0 || stream.EndedAt == "" || stream.Transport != "udp" || stream.Codec == "" {
		t.Errorf("%s: %+v", who.name, stream)
	}
	var own uint64
	switch {
	case stream.Direction == "inbound":
		own = who.packetsOf(from, stream.Media)
	case who == guest:
		own, _ = sent[stream.Media].Sent()
	default:
		for _, pub := range hosts {
			if pub.Source.Kind == stream.Media {
				own, _ = pub.Sent()
			}
		}
	}
	// The first packets of a sender may come before the far end can read them, and of a video a receiver gets all from the key frame on. What the
	// server sent and what the client got is one number.
	low := own - own/20 - 5
	if stream.Packets > own+own/20+5 || stream.Packets < low || own == 0 {
		t.Errorf("%s %s %s: %d packets, the client counted %d", who.name, stream.Direction, stream.Media, stream.Packets, own)
	}
	if stream.Direction == "outbound" && (stream.JitterMsAvg == nil || *stream.JitterMsAvg > 1000) {
		t.Errorf("%s %s: jitter %v", who.name, stream.Media, stream.JitterMsAvg)
	}
	if stream.RTTMsAvg == nil || *stream.RTTMsAvg <= 0 || *stream.RTTMsAvg > 5000 {
		t.Errorf("%s %s %s: round-trip time %v", who.name, stream.Direction, stream.Media, stream.RTTMsAvg)
	}
	var samples struct {
		Samples []struct {
			Packets uint64 `json:"packets"`
		} `json:"samples"`
	}
	total := uint64(0)
	s.house.rig.must(t, http.StatusOK, s.house.admin, http.MethodGet, "/v1/calls/"+call+"/streams/"+stream.StreamID+"/samples", nil).read(t, &samples)
	for _, sample := range samples.Samples {
		total += sample.Packets
	}
	if total == 0 || total != stream.Packets {
		t.Errorf("%s %s %s: %d samples with %d packets, the summary has %d", who.name, stream.Direction, stream.Media, len(samples.Samples), total, stream.Packets)
	}
}
