package record_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/pion/rtp"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/record"
)

// heard is what a transcription service got on one connection.
type heard struct {
	header  record.StreamHeader
	raw     string
	auth    string
	packets [][]byte
	status  websocket.StatusCode
}

// service is a WebSocket server that keeps what it hears.
type service struct {
	mu    sync.Mutex
	heard []*heard
	// cut closes a connection after so many packets; 0: never.
	cut     int
	changed chan struct{}
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{record.SinkSubprotocol}})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	h := &heard{auth: r.Header.Get("Authorization")}
	s.mu.Lock()
	s.heard = append(s.heard, h)
	s.mu.Unlock()
	for {
		typ, b, err := conn.Read(r.Context())
		s.mu.Lock()
		switch {
		case err != nil:
			h.status = websocket.CloseStatus(err)
		case typ == websocket.MessageText:
			h.raw = string(b)
			err = json.Unmarshal(b, &h.header)
		default:
			h.packets = append(h.packets, b)
			if s.cut > 0 && len(h.packets) == s.cut {
				s.cut = 0
				err = errors.New("cut")
			}
		}
		s.note()
		s.mu.Unlock()
		if err != nil {
			return
		}
		// Services answer with what they understood.
		_ = conn.Write(r.Context(), websocket.MessageText, []byte(`{"text":"hello"}`))
	}
}

func (s *service) note() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// until waits for something to hold of what was heard.
func (s *service) until(t *testing.T, holds func([]*heard) bool) []*heard {
	t.Helper()
	patience := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		ok, changed := holds(s.heard), s.changed
		s.mu.Unlock()
		if ok {
			return s.heard
		}
		select {
		case <-changed:
		case <-patience:
			t.Fatal("the service did not hear what was sent")
		}
	}
}

func sinkTo(t *testing.T, handler http.Handler, change func(*record.SinkConfig)) *record.Sink {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg := record.DefaultSinkConfig()
	cfg.URL, cfg.Token, cfg.RetryMin = "ws"+strings.TrimPrefix(server.URL, "http"), "secret", time.Millisecond
	if change != nil {
		change(&cfg)
	}
	sink, err := record.NewSink(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func audioTrack() forward.Track {
	return forward.Track{ID: uuid.New(), Owner: who, Kind: forward.Audio, MimeType: "audio/opus", ClockRate: 48000, Channels: 2}
}

func word(k int) *rtp.Packet {
	return &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(k), Timestamp: uint32(k) * 960}, Payload: []byte{0xf8, 0xff, byte(k)}}
}

func TestAudioReachesTheTranscriptionService(t *testing.T) {
	svc := &service{changed: make(chan struct{})}
	tr := sinkTo(t, svc, nil).Start(call)
	if tr.Tap(who).Track(forward.Track{Kind: forward.Video, MimeType: "video/VP8", ClockRate: 90000}) != nil {
		t.Error("video was taken for transcription")
	}
	track := audioTrack()
	w := tr.Tap(who).Track(track)
	began := time.Now()
	for k := range 10 {
		w.WriteRTP(word(k), began.Add(time.Duration(k)*20*time.Millisecond))
	}
	tr.Stop(t.Context())
	got := svc.until(t, func(h []*heard) bool { return len(h) == 1 && h[0].status == websocket.StatusNormalClosure })[0]
	want := record.StreamHeader{
		Version: 1, TranscriptionID: tr.ID(), CallID: call, ParticipantID: who, TrackID: track.ID, Codec: "opus", ClockRate: 48000, Channels: 2,
		StartedAt: got.header.StartedAt,
	}
	if diff := cmp.Diff(want, got.header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if got.auth != "Bearer secret" {
		t.Errorf("authorization is %q, want the token", got.auth)
	}
	if len(got.packets) != 10 || tr.Dropped() != 0 {
		t.Fatalf("%d packets came, %d were dropped, want 10, 0", len(got.packets), tr.Dropped())
	}
	first := binary.BigEndian.Uint64(got.packets[0])
	for k, p := range got.packets {
		if at := binary.BigEndian.Uint64(p) - first; at != uint64(k)*20_000 {
			t.Errorf("packet %d is at %d µs, want %d", k, at, k*20_000)
		}
		if rtpTime := binary.BigEndian.Uint32(p[8:]); rtpTime != uint32(k)*960 {
			t.Errorf("packet %d has RTP time %d", k, rtpTime)
		}
		if diff := cmp.Diff([]byte{0xf8, 0xff, byte(k)}, p[12:]); diff != "" {
			t.Errorf("packet %d (-sent +heard):\n%s", k, diff)
		}
	}
	if tr.Tap(who).Track(track) != nil {
		t.Error("a track was taken after the stop")
	}
}

func TestALostServiceIsTakenUpAgain(t *testing.T) {
	svc := &service{changed: make(chan struct{}), cut: 3}
	tr := sinkTo(t, svc, nil).Start(call)
	w := tr.Tap(who).Track(audioTrack())
	for k := range 3 {
		w.WriteRTP(word(k), time.Now())
	}
	svc.until(t, func(h []*heard) bool { return len(h) == 1 && len(h[0].packets) == 3 })
	// Enough that the loss is noticed, whatever the system still takes before.
	second := func(h []*heard) bool { return len(h) == 2 && len(h[1].packets) > 0 }
	for k := 3; k < 400; k++ {
		w.WriteRTP(word(k), time.Now())
	}
	got := svc.until(t, second)
	w.Close()
	tr.Stop(t.Context())
	if svc.mu.Lock(); !got[1].header.Resumed || got[0].header.Resumed {
		t.Errorf("headers are %s and %s, want only the second resumed", got[0].raw, got[1].raw)
	}
	svc.mu.Unlock()
}

func TestAServiceThatIsAwayHoldsNothingUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	sink := sinkTo(t, http.NotFoundHandler(), func(c *record.SinkConfig) {
		c.URL, c.QueuePackets = "ws://"+silent.Addr().String(), 50
	})
	tr := sink.Start(call)
	w := tr.Tap(who).Track(audioTrack())
	for k := range 1000 {
		w.WriteRTP(word(k), time.Now())
	}
	w.Close()
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	tr.Stop(soon)
	if tr.Dropped() != 1000 {
		t.Errorf("%d packets were dropped, want all 1000 to be counted", tr.Dropped())
	}
}

func TestSinkConfig(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"none", "", ""},
		{"secure", "wss://transcribe.example.org/v1", ""},
		{"on this machine", "ws://127.0.0.1:9000", ""},
		{"in the clear", "ws://transcribe.example.org", "url: must begin with wss://"},
		{"no URL", "transcribe", "url: is no URL"},
		{"another scheme", "https://transcribe.example.org", "url: must begin with wss://"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := record.DefaultSinkConfig()
			cfg.URL = c.url
			err := cfg.Validate()
			if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
	if s, err := record.NewSink(record.DefaultSinkConfig(), slog.New(slog.DiscardHandler)); s != nil || err != nil {
		t.Errorf("without a URL there is %v, %v, want no sink", s, err)
	}
}
