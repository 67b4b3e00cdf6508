package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/media/protocol"
)

// audioLevelURI is the header extension with a packet's loudness (RFC 6464), by which the server finds active speakers.
const audioLevelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

// The two directions, as the protocol names them.
const (
	publishPeer   = "publish"
	subscribePeer = "subscribe"
)

// peers are a client's two peer connections. They are made when they are first needed.
type peers struct {
	client *Client
	api    *webrtc.API
	// offers go from the connection's reader to the goroutine that answers them; only the newest matters.
	offers chan protocol.SubscribeOffer
	stop   chan struct{}
	wg     sync.WaitGroup

	// negotiating is held while an offer is made and answered.
	negotiating sync.Mutex

	mu       sync.Mutex
	closed   bool // guarded by mu, like all below
	ice      []webrtc.ICEServer
	up, down *peer
	// answering: a goroutine answers offers. fingerprint is of the offer that down was made for.
	answering   bool
	fingerprint string
	pubs        []*Publication
	byMid       map[string]*Received // what arrives now
	received    map[string]*Received // by track id
}

// peer is one peer connection with the candidates that can't be used yet.
type peer struct {
	name string
	pc   *webrtc.PeerConnection

	mu      sync.Mutex
	open    bool                      // guarded by mu: the description was exchanged, candidates may go
	mine    []webrtc.ICECandidateInit // guarded by mu: all that were found; sent says how many are sent
	sent    int                       // guarded by mu
	theirs  []webrtc.ICECandidateInit // guarded by mu: came before the description
	settled bool                      // guarded by mu: theirs can be added
}

func newPeers(c *Client) (*peers, error) {
	engine := new(webrtc.MediaEngine)
	if err := engine.RegisterDefaultCodecs(); err != nil {
		return nil, fmt.Errorf("register codecs: %w", err)
	}
	if err := engine.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: audioLevelURI}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, fmt.Errorf("register audio levels: %w", err)
	}
	registry := new(interceptor.Registry)
	// What the library logs by itself goes to standard error, which isn't a client's to write to.
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel, quiet.ScopeLevels = logging.LogLevelDisabled, map[string]logging.LogLevel{}
	if err := webrtc.RegisterDefaultInterceptorsWithOptions(engine, registry, webrtc.WithInterceptorLoggerFactory(quiet)); err != nil {
		return nil, fmt.Errorf("register interceptors: %w", err)
	}
	settings := webrtc.SettingEngine{LoggerFactory: quiet}
	// As the server's: pion's own 64 takes for replays what was lost and came again late.
	settings.SetSRTPReplayProtectionWindow(512)
	if c.opts.Settings != nil {
		c.opts.Settings(&settings)
	}
	return &peers{
		client: c,
		api:    webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings)),
		offers: make(chan protocol.SubscribeOffer, 1), stop: make(chan struct{}),
		byMid: make(map[string]*Received), received: make(map[string]*Received),
	}, nil
}

// configure takes the ICE servers of the answer to a join.
func (p *peers) configure(servers []protocol.ICEServer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ice = nil
	for _, s := range servers {
		p.ice = append(p.ice, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
}

// peer returns one of the two, and makes it when it is not there.
func (p *peers) peer(name string) (*peer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot := &p.up
	if name == subscribePeer {
		slot = &p.down
	}
	switch {
	case p.closed:
		return nil, ErrDisconnected
	case *slot != nil:
		return *slot, nil
	}
	pc, err := p.api.NewPeerConnection(webrtc.Configuration{ICEServers: p.ice, BundlePolicy: webrtc.BundlePolicyMaxBundle})
	if err != nil {
		return nil, fmt.Errorf("make %s peer connection: %w", name, err)
	}
	made := &peer{name: name, pc: pc}
	pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		if candidate == nil {
			return
		}
		made.mu.Lock()
		made.mine = append(made.mine, candidate.ToJSON())
		made.mu.Unlock()
		p.sendCandidates(made)
	})
	if name == subscribePeer {
		pc.OnTrack(p.onTrack)
		if !p.answering {
			p.answering = true
			p.wg.Add(1)
			go p.answerOffers()
		}
	}
	*slot = made
	return made, nil
}

// candidateTimeout bounds the sending of one candidate.
const candidateTimeout = 10 * time.Second

// sendCandidates sends what was found and may go already.
func (p *peers) sendCandidates(of *peer) {
	of.mu.Lock()
	var due []webrtc.ICECandidateInit
	if of.open {
		due = of.mine[of.sent:]
		of.sent = len(of.mine)
	}
	of.mu.Unlock()
	for _, candidate := range due {
		ctx, cancel := context.WithTimeout(context.Background(), candidateTimeout)
		// A candidate that is lost costs a path, not the connection; after a reconnect all are sent again.
		_ = p.client.Request(ctx, protocol.TypeCandidate, protocol.Candidate{
			Peer: of.name, Candidate: candidate.Candidate, SDPMid: candidate.SDPMid, SDPMLineIndex: candidate.SDPMLineIndex,
		}, nil)
		cancel()
	}
}

// openUp lets candidates go, in the background.
func (p *peers) openUp(of *peer) {
	of.mu.Lock()
	of.open = true
	of.mu.Unlock()
	p.background(func() { p.sendCandidates(of) })
}

func (p *peers) background(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		f()
	}()
}

// resendCandidates sends all candidates again, since some may have been lost with the connection.
func (p *peers) resendCandidates() {
	p.mu.Lock()
	both := []*peer{p.up, p.down}
	p.mu.Unlock()
	for _, of := range both {
		if of == nil {
			continue
		}
		of.mu.Lock()
		of.sent = 0
		of.mu.Unlock()
		p.background(func() { p.sendCandidates(of) })
	}
}

// settle adds the server's candidates that came before its description.
func (of *peer) settle() {
	of.mu.Lock()
	defer of.mu.Unlock()
	of.settled = true
	for _, candidate := range of.theirs {
		_ = of.pc.AddICECandidate(candidate)
	}
	of.theirs = nil
}

// take gets what the server says about peer connections. It doesn't block.
func (p *peers) take(e Event) {
	switch e.Type {
	case protocol.TypeSubscribeOffer:
		var offer protocol.SubscribeOffer
		if e.Decode(&offer) != nil {
			return
		}
		if _, err := p.peer(subscribePeer); err != nil {
			return
		}
		select {
		case <-p.offers: // An older one, void now.
		default:
		}
		p.offers <- offer
	case protocol.TypeCandidate:
		var c protocol.Candidate
		if e.Decode(&c) != nil || (c.Peer != publishPeer && c.Peer != subscribePeer) {
			return
		}
		of, err := p.peer(c.Peer)
		if err != nil {
			return
		}
		candidate := webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex}
		of.mu.Lock()
		defer of.mu.Unlock()
		if !of.settled {
			of.theirs = append(of.theirs, candidate)
			return
		}
		_ = of.pc.AddICECandidate(candidate)
	}
}

// close ends both connections and all that goes on for them.
func (p *peers) close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	pubs, both := p.pubs, []*peer{p.up, p.down}
	p.mu.Unlock()
	close(p.stop)
	for _, pub := range pubs {
		pub.halt()
	}
	for _, of := range both {
		if of != nil {
			_ = of.pc.GracefulClose()
		}
	}
	p.wg.Wait()
}
