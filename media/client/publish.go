package client

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/media/protocol"
)

// Kinds of tracks.
const (
	Audio  = "audio"
	Video  = "video"
	Screen = "screen"
)

// Source says what to publish: made-up frames, of the right form and size, that no decoder can make a picture of.
type Source struct {
	// Kind is Audio (Opus, a frame each 20 ms), Video or Screen (VP8).
	Kind string
	// Bitrate in bits per second of payload. Defaults: 32000, 500000 and 800000.
	Bitrate int
	// FrameRate of video in frames per second. Defaults: 30, of a screen 10.
	FrameRate int
	// Height of the picture that key frames claim, width at 16:9. Defaults: 360, of a screen 1080.
	Height int
	// Level is the loudness of audio in -dBov, 0 (loudest) to 127 (silent); 0 stands for 30.
	Level uint8
	// Muted at the start.
	Muted bool
}

func (s Source) withDefaults() (Source, error) {
	fill := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	switch s.Kind {
	case Audio:
		fill(&s.Bitrate, 32_000)
		s.FrameRate = 50
		if s.Level == 0 {
			s.Level = 30
		}
	case Video:
		fill(&s.Bitrate, 500_000)
		fill(&s.FrameRate, 30)
		fill(&s.Height, 360)
	case Screen:
		fill(&s.Bitrate, 800_000)
		fill(&s.FrameRate, 10)
		fill(&s.Height, 1080)
	default:
		return s, fmt.Errorf("kind: %q is not audio, video or screen", s.Kind)
	}
	return s, nil
}

// Publication is something that the client publishes.
type Publication struct {
	Source Source

	id          atomic.Value // string
	transceiver *webrtc.RTPTransceiver
	track       *webrtc.TrackLocalStaticRTP
	stop        chan struct{}
	stopped     atomic.Bool
	paused      atomic.Bool
	wantKey     atomic.Bool
	packets     atomic.Uint64
	bytes       atomic.Uint64
	keyRequests atomic.Uint64
}

// TrackID is the server's id of the track.
func (p *Publication) TrackID() string { id, _ := p.id.Load().(string); return id }

// Sent is how many packets were handed to the connection while it stood, and the bytes of their payload.
func (p *Publication) Sent() (packets, bytes uint64) { return p.packets.Load(), p.bytes.Load() }

// KeyFrameRequests is how many key frames the server has asked for.
func (p *Publication) KeyFrameRequests() uint64 { return p.keyRequests.Load() }

// Pause stops the frames without telling the server, as a broken camera does; Resume goes on.
func (p *Publication) Pause(paused bool) { p.paused.Store(paused) }

func (p *Publication) halt() {
	if p.stopped.CompareAndSwap(false, true) {
		close(p.stop)
	}
}

// Publish begins to publish sources, besides those that are published already, and returns when the server has taken them. Media flows as soon as the
// connection stands. A refusal is a *protocol.Error, and nothing of the call stays.
func (c *Client) Publish(ctx context.Context, sources ...Source) ([]*Publication, error) {
	p := c.media
	p.negotiating.Lock()
	defer p.negotiating.Unlock()
	up, err := p.peer(publishPeer)
	if err != nil {
		return nil, err
	}
	added := make([]*Publication, 0, len(sources))
	for _, source := range sources {
		pub, err := p.add(up, source)
		if err != nil {
			p.discard(up, added)
			return nil, err
		}
		added = append(added, pub)
	}
	if err := p.offer(ctx, up); err != nil {
		p.discard(up, added)
		return nil, err
	}
	for _, pub := range added {
		p.background(func() { p.pump(up, pub) })
		p.background(func() { pub.listen() })
	}
	return added, nil
}

// Unpublish ends publications.
func (c *Client) Unpublish(ctx context.Context, pubs ...*Publication) error {
	p := c.media
	p.negotiating.Lock()
	defer p.negotiating.Unlock()
	up, err := p.peer(publishPeer)
	if err != nil {
		return err
	}
	p.discard(up, pubs)
	return p.offer(ctx, up)
}

// add makes the media section of a source.
func (p *peers) add(up *peer, source Source) (*Publication, error) {
	source, err := source.withDefaults()
	if err != nil {
		return nil, err
	}
	codec := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
	if source.Kind == Audio {
		codec = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	}
	track, err := webrtc.NewTrackLocalStaticRTP(codec, source.Kind, "client")
	if err != nil {
		return nil, fmt.Errorf("make track: %w", err)
	}
	transceiver, err := up.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, fmt.Errorf("add track: %w", err)
	}
	pub := &Publication{Source: source, transceiver: transceiver, track: track, stop: make(chan struct{})}
	p.mu.Lock()
	p.pubs = append(p.pubs, pub)
	p.mu.Unlock()
	return pub, nil
}

// discard stops publications and sets their sections inactive; the next offer says so.
func (p *peers) discard(up *peer, pubs []*Publication) {
	for _, pub := range pubs {
		pub.halt()
		if sender := pub.transceiver.Sender(); sender != nil {
			_ = up.pc.RemoveTrack(sender)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.pubs[:0:0]
	for _, pub := range p.pubs {
		if !pub.stopped.Load() {
			kept = append(kept, pub)
		}
	}
	p.pubs = kept
}

// offer makes an offer of all that is published and takes the server's answer.
func (p *peers) offer(ctx context.Context, up *peer) error {
	offer, err := up.pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("make offer: %w", err)
	}
	req := protocol.Publish{SDP: offer.SDP}
	p.mu.Lock()
	pubs := p.pubs
	p.mu.Unlock()
	for _, pub := range pubs {
		req.Tracks = append(req.Tracks, protocol.TrackIntent{Mid: pub.transceiver.Mid(), Kind: pub.Source.Kind, Muted: pub.Source.Muted})
	}
	var published protocol.Published
	if err := p.client.Request(ctx, protocol.TypePublish, req, &published); err != nil {
		return err
	}
	// Only now: an offer that was put into use and then refused could not be taken back, since the library has no rollback.
	if err := up.pc.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("use offer: %w", err)
	}
	if err := up.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: published.SDP}); err != nil {
		return fmt.Errorf("take answer: %w", err)
	}
	for _, pub := range pubs {
		pub.id.Store(published.Tracks[pub.transceiver.Mid()])
	}
	up.settle()
	p.openUp(up)
	return nil
}

// listen reads what the server says of the track: requests for key frames.
func (p *Publication) listen() {
	for {
		packets, _, err := p.transceiver.Sender().ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				p.keyRequests.Add(1)
				p.wantKey.Store(true)
			}
		}
	}
}
