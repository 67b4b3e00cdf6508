package load

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// eventBuffer is small: a member looks at events as they come.
const eventBuffer = 16

// orgUser is the kind of those who may let in others.
const orgUser = "org_user"

// member is one client of the run.
type member struct {
	*client.Client
	number    int
	publisher bool
	pubs      []*client.Publication
	joinTook  time.Duration
	admitted  chan struct{}
	once      sync.Once
	// admitting holds one request at a time to let in all who wait.
	admitting chan struct{}
	streams   sync.Map // track id to *sequence
}

// enter connects, joins, and waits until it is let in.
func (r *run) enter(ctx context.Context, number int) (*member, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.JoinTimeout)
	defer cancel()
	m := &member{number: number, publisher: number < r.cfg.Publishers, admitted: make(chan struct{}), admitting: make(chan struct{}, 1)}
	join, err := r.join(ctx, number)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if m.Client, err = client.Dial(ctx, r.cfg.URL+"/v1/connect", m.options()); err != nil {
		return nil, err
	}
	joined, err := m.Join(ctx, join)
	if err != nil {
		m.Close()
		return nil, err
	}
	if joined.State == protocol.StateAdmitted {
		m.let()
	}
	select {
	case <-m.admitted:
	case <-m.Disconnected():
		return nil, m.gone(errDisconnected)
	case <-ctx.Done():
		return nil, m.gone(errNotLetIn)
	}
	m.joinTook = time.Since(began)
	if joined.Kind == orgUser {
		r.wg.Go(func() { m.admitAll(r.over) })
		m.wantAdmit()
	}
	return m, nil
}

// Why a client that joined is not in.
var (
	errDisconnected = errors.New("disconnected")
	errNotLetIn     = errors.New("not_let_in")
)

// gone closes a client that joined but is not in, and says what the server said last, if it said something.
func (m *member) gone(err error) error {
	if ended := m.Ended(); ended != nil {
		err = &protocol.Error{Reason: ended.Reason, Message: ended.Message}
	}
	m.Close()
	return err
}

func (m *member) options() client.Options {
	return client.Options{
		NoMedia:     m.publisher,
		EventBuffer: eventBuffer,
		Settings:    func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) },
		OnPacket: func(track string, p *rtp.Packet) {
			stream, ok := m.streams.Load(track)
			if !ok {
				stream, _ = m.streams.LoadOrStore(track, new(sequence))
			}
			stream.(*sequence).take(p.SequenceNumber)
		},
		OnEvent: func(e client.Event) {
			switch e.Type {
			case protocol.TypeState:
				var state protocol.State
				if e.Decode(&state) == nil && state.State == protocol.StateAdmitted {
					m.let()
				}
			case protocol.TypeLobbyUpdated:
				m.wantAdmit()
			}
		},
	}
}

func (m *member) let() { m.once.Do(func() { close(m.admitted) }) }

func (m *member) wantAdmit() {
	select {
	case m.admitting <- struct{}{}:
	default:
	}
}

// admitAll lets in who waits, whenever the lobby has changed.
func (m *member) admitAll(over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-m.Disconnected():
			return
		case <-m.admitting:
			ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
			_ = m.AdmitAll(ctx)
			cancel()
		}
	}
}

// requestTimeout bounds requests that are none of the measurement.
const requestTimeout = 20 * time.Second

// publish begins the member's media.
func (m *member) publish(ctx context.Context, cfg Config) error {
	var sources []client.Source
	if cfg.Audio {
		// One is louder than the others, so that there is an active speaker.
		sources = append(sources, client.Source{Kind: client.Audio, Level: uint8(20 + min(m.number, 40))}) //nolint:gosec // at most 60
	}
	if cfg.VideoBitrate > 0 {
		sources = append(sources, client.Source{Kind: client.Video, Bitrate: cfg.VideoBitrate})
	}
	var err error
	m.pubs, err = m.Publish(ctx, sources...)
	return err
}

// counts of all that the member receives, and how many streams these are.
func (m *member) counts() (streams int, sum counts) {
	m.streams.Range(func(_, value any) bool {
		c := value.(*sequence).counts()
		if c.received > 0 {
			streams++
		}
		sum.expected += c.expected
		sum.received += c.received
		return true
	})
	return streams, sum
}

// reasonOf is a short word for why something failed, from a closed set as far as the server's are.
func reasonOf(err error) string {
	var refused *protocol.Error
	switch {
	case errors.As(err, &refused):
		return refused.Reason
	case errors.Is(err, errNotLetIn), errors.Is(err, errDisconnected):
		return err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	if _, status, ok := strings.Cut(err.Error(), "(HTTP status "); ok {
		code, _, _ := strings.Cut(status, ")")
		return fmt.Sprintf("http_%s", code)
	}
	return "failed"
}
