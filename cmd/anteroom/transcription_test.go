package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/media/record"
)

// writer is a transcription service that keeps all it is sent.
type writer struct {
	mu      sync.Mutex
	streams []*heardStream // guarded by mu, with all that they have
}

// heardStream is one connection.
type heardStream struct {
	authorization string
	header        record.StreamHeader
	text          string // the header as it came
	times         []uint64
	packets       [][]byte
	closed        websocket.StatusCode // -1 while open
}

func (w *writer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(rw, r, &websocket.AcceptOptions{Subprotocols: []string{record.SinkSubprotocol}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	s := &heardStream{authorization: r.Header.Get("Authorization"), closed: -1}
	w.mu.Lock()
	w.streams = append(w.streams, s)
	w.mu.Unlock()
	for {
		typ, message, err := conn.Read(r.Context())
		w.mu.Lock()
		switch {
		case err != nil:
			s.closed = websocket.CloseStatus(err)
		case typ == websocket.MessageText:
			s.text = string(message)
			_ = json.Unmarshal(message, &s.header)
		case len(message) > 12:
			s.times = append(s.times, binary.BigEndian.Uint64(message))
			s.packets = append(s.packets, message[12:])
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// of is a copy of the one stream of a participant.
func (w *writer) of(participant string) (out heardStream, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.streams {
		if s.header.ParticipantID.String() == participant {
			out, n = *s, n+1
		}
	}
	return out, n
}

// Each participant's audio goes to the configured service as a stream of its own, from after the notice on, and nothing that names anybody.
func TestTranscriptionHearsEachParticipant(t *testing.T) {
	needs(t, "ffmpeg")
	t.Parallel()
	w := &writer{}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	r, err := startRig(wideLimits("ANTEROOM_TRANSCRIPTION_URL=ws"+strings.TrimPrefix(server.URL, "http"), "ANTEROOM_TRANSCRIPTION_TOKEN=sink-secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if code := r.stop(); code != 0 {
			t.Errorf("the service ended with exit code %d\n%s", code, r.stderr)
		}
	})
	_, host, guest := twoActors(t, newHouse(t, r, nil))
	both := []*actor{host, guest}
	before := map[*actor]int{}
	for _, a := range both {
		before[a] = a.sound.awaitArrived(t, 15)
	}
	wantReason(t, "a guest starts transcription", guest.StartTranscription(guest.soon()), "guest_not_allowed")
	host.do(host.StartTranscription(host.soon()))
	await(guest.person, protocol.TypeNotice, ofKind("transcription_started"))
	for _, a := range both {
		eventually(t, "the audio of "+a.name+" is heard", func() (bool, string) {
			heard, _ := w.of(a.id())
			return len(heard.packets) >= 100, heard.text
		})
	}
	host.do(host.StopTranscription(host.soon()))
	await(guest.person, protocol.TypeNotice, ofKind("transcription_stopped"))
	for _, a := range both {
		eventually(t, "the stream of "+a.name+" ends", func() (bool, string) {
			heard, _ := w.of(a.id())
			return heard.closed != -1, heard.text
		})
		heard, n := w.of(a.id())
		if n != 1 || heard.closed != websocket.StatusNormalClosure || heard.authorization != "Bearer sink-secret" {
			t.Errorf("%s: %d streams, the last closed with %d", a.name, n, heard.closed)
		}
		if got := heard.header; got.CallID.String() != a.Joined().CallID || got.Codec != "opus" || got.ClockRate != 48000 || got.Resumed {
			t.Errorf("%s: header %s", a.name, heard.text)
		}
		if a.tracks[heard.header.TrackID.String()] != a.sound {
			t.Errorf("%s: another's track: %s", a.name, heard.text)
		}
		if strings.Contains(heard.text, a.name) {
			t.Errorf("%s is named: %s", a.name, heard.text)
		}
		at, time := before[a], uint64(0)
		for i, packet := range heard.packets {
			place, ok := a.sound.index[sha256.Sum256(packet)]
			if !ok || place <= at || heard.times[i] < time {
				t.Fatalf("%s: packet %d is frame %d (known: %v) at %d µs, after %d at %d µs; it was asked for after %d",
					a.name, i, place, ok, heard.times[i], at, time, before[a])
			}
			at, time = place, heard.times[i]
		}
		t.Logf("%s: %d packets, up to frame %d, asked for after %d", a.name, len(heard.packets), at, before[a])
	}
}

// Without a service to send audio to, nobody can start a transcription, and nobody is told of one.
func TestTranscriptionWithoutAService(t *testing.T) {
	t.Parallel()
	h := newHouse(t, hastyRig.get(t), nil)
	host := h.meeting(nil).user(organizer)
	wantReason(t, "transcription without a service", host.StartTranscription(host.soon()), protocol.ReasonNoSink)
	host.do(host.StartRecording(host.soon())) // The permitted case beside it.
	await(host, protocol.TypeNotice, ofKind("recording_started"))
	if diff := cmp.Diff(0, count(host, protocol.TypeNotice, ofKind("transcription_started"))); diff != "" {
		t.Errorf("notices of a transcription (-want +got):\n%s", diff)
	}
}
