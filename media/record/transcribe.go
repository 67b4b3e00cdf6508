package record

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/google/uuid"
	"github.com/pion/rtp"

	"github.com/anteroom/anteroom/media/forward"
)

// SinkSubprotocol is the WebSocket subprotocol of the audio that is sent for transcription. A connection has one track of one participant:
// first a text message, StreamHeader; then binary messages, one per Opus packet:
//
//	bytes 0 to 7   time since StreamHeader.StartedAt, microseconds, unsigned, big-endian
//	bytes 8 to 11  RTP timestamp (48 kHz), big-endian
//	bytes 12 …     the Opus packet (RFC 6716)
//
// Where packets were lost, times leave a gap. After a lost connection a new one begins with the same header, and Resumed set; what was said
// meanwhile is sent as far as the queue has kept it. The close with status 1000 says that the track has ended. What the service sends is
// read and left unused.
const SinkSubprotocol = "anteroom.transcription.v1"

// StreamHeader opens each connection to the sink.
type StreamHeader struct {
	Version         int       `json:"version"`
	TranscriptionID uuid.UUID `json:"transcription_id"`
	CallID          uuid.UUID `json:"call_id"`
	// ParticipantID and TrackID are random; no name is sent.
	ParticipantID uuid.UUID `json:"participant_id"`
	TrackID       uuid.UUID `json:"track_id"`
	Codec         string    `json:"codec"`
	ClockRate     uint32    `json:"clock_rate"`
	Channels      int       `json:"channels"`
	StartedAt     time.Time `json:"started_at"`
	Resumed       bool      `json:"resumed,omitempty"`
}

// Sink streams audio to a configured service.
type Sink struct {
	cfg    SinkConfig
	log    *slog.Logger
	client *http.Client
}

// NewSink checks the configuration; nil, nil without a URL: transcription is not available.
func NewSink(cfg SinkConfig, log *slog.Logger) (*Sink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.URL == "" {
		return nil, nil
	}
	return &Sink{cfg: cfg, log: log, client: &http.Client{}}, nil
}

// Transcription is one that runs. All methods are safe for concurrent use.
type Transcription struct {
	sink    *Sink
	id      uuid.UUID
	call    uuid.UUID
	started time.Time
	ctx     context.Context //nolint:containedctx // the transcription's own life, which its streams share
	cancel  context.CancelFunc
	dropped atomic.Uint64

	mu      sync.Mutex
	stopped bool
	streams map[*stream]struct{}
	running sync.WaitGroup
}

// Start begins the transcription of a call. It connects with the first audio.
func (s *Sink) Start(call uuid.UUID) *Transcription {
	ctx, cancel := context.WithCancel(context.Background())
	return &Transcription{
		sink: s, id: uuid.New(), call: call, started: time.Now().UTC(), ctx: ctx, cancel: cancel, streams: map[*stream]struct{}{},
	}
}

// ID of the transcription.
func (t *Transcription) ID() uuid.UUID { return t.id }

// Dropped is how many packets the service didn't get, because it was away or too slow.
func (t *Transcription) Dropped() uint64 { return t.dropped.Load() }

// Tap streams a participant's audio for as long as it is attached.
func (t *Transcription) Tap(participant uuid.UUID) forward.Tap { return sinkTap{t, participant} }

// Stop sends what waits until ctx ends, and closes all connections.
func (t *Transcription) Stop(ctx context.Context) {
	t.mu.Lock()
	t.stopped = true
	for s := range t.streams {
		s.end()
	}
	t.mu.Unlock()
	done := make(chan struct{})
	go func() {
		t.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		t.cancel()
		<-done
	}
	t.cancel()
}

type sinkTap struct {
	t           *Transcription
	participant uuid.UUID
}

func (s sinkTap) Track(ft forward.Track) forward.PacketWriter {
	mime := strings.ToLower(ft.MimeType)
	if mime != "audio/opus" && mime != "audio/red" {
		return nil
	}
	t := s.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return nil
	}
	st := &stream{
		t: t, red: mime == "audio/red", queue: make(chan []byte, t.sink.cfg.QueuePackets), ended: make(chan struct{}),
		header: StreamHeader{
			Version: 1, TranscriptionID: t.id, CallID: t.call, ParticipantID: s.participant, TrackID: ft.ID, Codec: "opus",
			ClockRate: ft.ClockRate, Channels: max(1, int(ft.Channels)), StartedAt: t.started,
		},
	}
	t.streams[st] = struct{}{}
	t.running.Go(func() {
		st.run(t.ctx)
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.streams, st)
	})
	return st
}

// stream is one track on its way to the sink.
type stream struct {
	t      *Transcription
	red    bool
	header StreamHeader
	queue  chan []byte
	once   sync.Once
	ended  chan struct{}
	// pending was taken from the queue and is not sent yet; run's only.
	pending []byte
}

func (s *stream) WriteRTP(p *rtp.Packet, arrived time.Time) {
	data := p.Payload
	if s.red {
		data = redPrimary(data)
	}
	if opusDuration(data) == 0 {
		return
	}
	m := binary.BigEndian.AppendUint64(make([]byte, 0, 12+len(data)), uint64(max(0, arrived.Sub(s.t.started).Microseconds())))
	m = append(binary.BigEndian.AppendUint32(m, p.Timestamp), data...)
	select {
	case <-s.ended:
		return
	default:
	}
	for range 2 {
		select {
		case s.queue <- m:
			return
		default:
		}
		// The newest words matter most: the oldest make room.
		select {
		case <-s.queue:
			s.t.dropped.Add(1)
		default:
		}
	}
	s.t.dropped.Add(1)
}

// SenderReport is not sent: times of arrival are enough to write down what was said.
func (s *stream) SenderReport(time.Time, uint32) {}

// Close ends the stream; what waits is still sent.
func (s *stream) Close() { s.end() }

func (s *stream) end() { s.once.Do(func() { close(s.ended) }) }

// run connects, sends, and connects again until the track has ended and all is sent, or ctx ends. A track that has ended gets one more try.
func (s *stream) run(ctx context.Context) {
	pause := s.t.sink.cfg.RetryMin
	for s.next(ctx) {
		last := s.hasEnded()
		sent, err := s.connection(ctx)
		if err == nil || ctx.Err() != nil || last {
			break
		}
		if sent {
			pause = s.t.sink.cfg.RetryMin
			s.header.Resumed = true
		}
		s.t.sink.log.WarnContext(ctx, "transcription service is not reached; trying again",
			"call", s.t.call, "participant", s.header.ParticipantID, "pause", pause, "error", reason(err))
		select {
		case <-time.After(pause):
		case <-s.ended:
		case <-ctx.Done():
		}
		pause = min(2*pause, s.t.sink.cfg.RetryMax)
	}
	left := len(s.queue)
	if s.pending != nil {
		left++
	}
	s.t.dropped.Add(uint64(left))
}

// next waits for something to send; false when nothing will come. Nothing is opened for somebody who says nothing.
func (s *stream) next(ctx context.Context) bool {
	if s.pending != nil {
		return ctx.Err() == nil
	}
	select {
	case s.pending = <-s.queue:
		return true
	default:
	}
	select {
	case s.pending = <-s.queue:
		return true
	case <-s.ended:
		// What came before the end counts.
		select {
		case s.pending = <-s.queue:
			return true
		default:
		}
	case <-ctx.Done():
	}
	return false
}

func (s *stream) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// connection sends until the track has ended (nil) or the connection is lost. sent: it got as far as a packet.
func (s *stream) connection(ctx context.Context) (sent bool, err error) {
	cfg := s.t.sink.cfg
	header := http.Header{}
	if cfg.Token != "" {
		header.Set("Authorization", "Bearer "+cfg.Token)
	}
	dialing, cancel := context.WithTimeout(ctx, cfg.WriteTimeout)
	defer cancel()
	conn, _, err := websocket.Dial(dialing, cfg.URL, &websocket.DialOptions{ //nolint:bodyclose // the library closes it
		HTTPClient: s.t.sink.client, HTTPHeader: header, Subprotocols: []string{SinkSubprotocol},
	})
	if err != nil {
		return false, err
	}
	alive, gone := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer func() { _ = conn.CloseNow() }() // closed already when all went well
	reading.Go(func() {
		defer gone()
		discard(alive, conn)
	})
	if err := s.send(alive, func(ctx context.Context) error { return wsjson.Write(ctx, conn, s.header) }); err != nil {
		return false, err
	}
	for s.next(alive) {
		if err := s.send(alive, func(ctx context.Context) error { return conn.Write(ctx, websocket.MessageBinary, s.pending) }); err != nil {
			return sent, err
		}
		sent, s.pending = true, nil
	}
	if alive.Err() != nil {
		return sent, errGone
	}
	// The track is told to have ended whether or not the service answers in time.
	_ = conn.Close(websocket.StatusNormalClosure, "")
	return sent, nil
}

// discard reads what the service sends, so that pings are answered and its going is noticed.
func discard(ctx context.Context, conn *websocket.Conn) {
	for {
		_, r, err := conn.Reader(ctx)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			return
		}
	}
}

var errGone = errors.New("the service closed the connection")

func (s *stream) send(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.t.sink.cfg.WriteTimeout)
	defer cancel()
	return write(ctx)
}

// reason is an error without the URL that it may quote.
func reason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, errGone):
		return "closed by the service"
	case websocket.CloseStatus(err) != -1:
		return "closed by the service with " + websocket.CloseStatus(err).String()
	}
	return "connection refused or lost"
}
