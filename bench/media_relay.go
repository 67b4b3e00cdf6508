package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/media/protocol"
)

// relay is what Anteroom's media is measured beside: the plainest relay that pion's users build. What is read of a publisher is written to a
// TrackLocalStaticRTP that all subscribers share, with the default codecs and interceptors. It speaks as much of Anteroom's protocol as the load
// needs, so that the same clients meet both, and it knows no meeting, lobby, policy or measurement. Whoever publishes receives nothing.
type relay struct {
	api *webrtc.API

	mu      sync.Mutex
	tracks  []*relayTrack        // guarded by mu
	members map[*relayMember]any // guarded by mu
}

type relayTrack struct {
	id    string
	local *webrtc.TrackLocalStaticRTP
}

// relayMember is one connection.
type relayMember struct {
	relay *relay
	ws    *websocket.Conn
	wake  chan struct{} // there may be tracks to offer

	writing sync.Mutex
	mu      sync.Mutex
	peers   map[string]*webrtc.PeerConnection // guarded by mu: by side
	early   []protocol.Candidate              // guarded by mu: came before the subscriber's answer
	offered map[string]*relayTrack            // used by offers only: by track id
	answers chan string
}

// serveRelay serves until the context ends. The folder is locked and has the address in it, as that of `anteroom run` has.
func serveRelay(ctx context.Context, folder string, onePort bool) error {
	api, closeSockets, err := relayAPI(onePort)
	if err != nil {
		return err
	}
	defer closeSockets()
	r := &relay{api: api, members: map[*relayMember]any{}}
	lock, err := embedded.AcquireLock(folder)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := lock.SetURL("http://" + listener.Addr().String()); err != nil {
		return err
	}
	server := &http.Server{Handler: r, BaseContext: func(net.Listener) context.Context { return ctx }} //nolint:gosec // the load's only
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// relayAPI has pion's defaults. With onePort all media goes through one UDP socket, as with Anteroom; else each connection has its own.
func relayAPI(onePort bool) (*webrtc.API, func(), error) {
	engine, registry := new(webrtc.MediaEngine), new(interceptor.Registry)
	if err := engine.RegisterDefaultCodecs(); err != nil {
		return nil, nil, fmt.Errorf("register codecs: %w", err)
	}
	if err := webrtc.RegisterDefaultInterceptors(engine, registry); err != nil {
		return nil, nil, fmt.Errorf("register interceptors: %w", err)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	settings := webrtc.SettingEngine{LoggerFactory: quiet}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	closeSockets := func() {}
	if onePort {
		socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, nil, fmt.Errorf("listen for media: %w", err)
		}
		_, _ = socket.SetReadBuffer(4<<20), socket.SetWriteBuffer(4<<20)
		mux := webrtc.NewICEUDPMux(quiet.NewLogger("ice"), socket)
		settings.SetICEUDPMux(mux)
		closeSockets = func() { _, _ = mux.Close(), socket.Close() }
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings)), closeSockets, nil
}

// ServeHTTP is one connection.
func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	ws, err := websocket.Accept(w, req, &websocket.AcceptOptions{Subprotocols: []string{protocol.Subprotocol}, InsecureSkipVerify: true})
	if err != nil {
		return
	}
	ws.SetReadLimit(protocol.MaxFrameBytes)
	ctx, cancel := context.WithCancel(req.Context())
	m := &relayMember{
		relay: r, ws: ws, wake: make(chan struct{}, 1), peers: map[string]*webrtc.PeerConnection{}, offered: map[string]*relayTrack{}, answers: make(chan string, 1),
	}
	var offers sync.WaitGroup
	defer func() {
		cancel()
		r.mu.Lock()
		delete(r.members, m)
		r.mu.Unlock()
		offers.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, pc := range m.peers {
			_ = pc.Close()
		}
		_ = ws.CloseNow()
	}()
	for {
		_, raw, err := ws.Read(ctx)
		var f protocol.Frame
		if err != nil || json.Unmarshal(raw, &f) != nil {
			return
		}
		reply, err := m.handle(ctx, f, func() { offers.Go(func() { m.offer(ctx) }) })
		answer := protocol.Frame{Type: protocol.Reply, ID: f.ID}
		if err != nil {
			answer.Error = &protocol.Error{Reason: protocol.ReasonInternal, Message: err.Error()}
		} else if reply != nil {
			answer.Body, _ = json.Marshal(reply)
		}
		if m.send(ctx, answer) != nil || f.Type == protocol.TypeLeave {
			return
		}
	}
}

func (m *relayMember) send(ctx context.Context, f protocol.Frame) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	m.writing.Lock()
	defer m.writing.Unlock()
	return m.ws.Write(ctx, websocket.MessageText, raw)
}

// handle answers one request; begin is called when the member has joined.
func (m *relayMember) handle(ctx context.Context, f protocol.Frame, begin func()) (any, error) {
	switch f.Type {
	case protocol.TypeJoin:
		begin()
		m.relay.mu.Lock()
		m.relay.members[m] = nil
		m.relay.mu.Unlock()
		m.news()
		return protocol.Joined{ParticipantID: uuid.NewString(), State: protocol.StateAdmitted}, nil
	case protocol.TypePublish:
		var req protocol.Publish
		if err := json.Unmarshal(f.Body, &req); err != nil {
			return nil, err
		}
		return m.publish(req)
	case protocol.TypeSubscribeAnswer:
		var req protocol.SubscribeAnswer
		if err := json.Unmarshal(f.Body, &req); err != nil {
			return nil, err
		}
		select {
		case m.answers <- req.SDP:
		case <-ctx.Done():
		}
	case protocol.TypeCandidate:
		var req protocol.Candidate
		if err := json.Unmarshal(f.Body, &req); err != nil {
			return nil, err
		}
		return nil, m.candidate(req)
	}
	return nil, nil
}

func (m *relayMember) news() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// candidate adds one; a subscriber's that come before its answer wait for it.
func (m *relayMember) candidate(c protocol.Candidate) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	pc := m.peers[c.Peer]
	if pc == nil || pc.RemoteDescription() == nil {
		m.early = append(m.early, c)
		return nil
	}
	return pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex})
}

// publish takes what a member publishes; what it publishes later is not forwarded.
func (m *relayMember) publish(req protocol.Publish) (protocol.Published, error) {
	pc, err := m.relay.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return protocol.Published{}, fmt.Errorf("make connection: %w", err)
	}
	m.mu.Lock()
	m.peers["publish"] = pc
	m.mu.Unlock()
	pc.OnTrack(m.relay.forward)
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: req.SDP}); err != nil {
		return protocol.Published{}, fmt.Errorf("take offer: %w", err)
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return protocol.Published{}, fmt.Errorf("make answer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return protocol.Published{}, fmt.Errorf("use answer: %w", err)
	}
	<-gathered
	published := protocol.Published{SDP: pc.LocalDescription().SDP, Tracks: map[string]string{}}
	for _, t := range req.Tracks {
		published.Tracks[t.Mid] = uuid.NewString()
	}
	return published, nil
}

// forward is all that happens to a packet.
func (r *relay) forward(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	local, err := webrtc.NewTrackLocalStaticRTP(remote.Codec().RTPCodecCapability, uuid.NewString(), uuid.NewString())
	if err != nil {
		return
	}
	go discard(receiver.Read)
	r.mu.Lock()
	r.tracks = append(r.tracks, &relayTrack{id: local.ID(), local: local})
	for m := range r.members {
		m.news()
	}
	r.mu.Unlock()
	buffer := make([]byte, 1500)
	for {
		n, _, err := remote.Read(buffer)
		if err != nil {
			return
		}
		_, _ = local.Write(buffer[:n])
	}
}

// discard reads control packets, without which interceptors see none.
func discard(read func([]byte) (int, interceptor.Attributes, error)) {
	buffer := make([]byte, 1500)
	for {
		if _, _, err := read(buffer); err != nil {
			return
		}
	}
}

// offer offers a member what it doesn't have yet, again and again.
func (m *relayMember) offer(ctx context.Context) {
	for version := uint64(1); ; version++ {
		select {
		case <-m.wake:
		case <-ctx.Done():
			return
		}
		if err := m.offerNew(ctx, version); err != nil {
			return
		}
	}
}

func (m *relayMember) offerNew(ctx context.Context, version uint64) error {
	m.relay.mu.Lock()
	tracks := m.relay.tracks
	m.relay.mu.Unlock()
	m.mu.Lock()
	pc, publishes := m.peers["subscribe"], m.peers["publish"] != nil
	m.mu.Unlock()
	if publishes || len(tracks) == len(m.offered) {
		return nil
	}
	if pc == nil {
		var err error
		if pc, err = m.relay.api.NewPeerConnection(webrtc.Configuration{}); err != nil {
			return err
		}
		m.mu.Lock()
		m.peers["subscribe"] = pc
		m.mu.Unlock()
	}
	for _, t := range tracks {
		if m.offered[t.id] != nil {
			continue
		}
		sender, err := pc.AddTrack(t.local)
		if err != nil {
			return err
		}
		m.offered[t.id] = t
		go discard(sender.Read)
	}
	return m.negotiate(ctx, pc, version)
}

// negotiate offers and waits for the answer.
func (m *relayMember) negotiate(ctx context.Context, pc *webrtc.PeerConnection, version uint64) error {
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	event := protocol.SubscribeOffer{Version: version, SDP: pc.LocalDescription().SDP}
	for _, t := range pc.GetTransceivers() {
		if track := t.Sender().Track(); track != nil {
			event.Tracks = append(event.Tracks, protocol.SubscribedTrack{Mid: t.Mid(), TrackID: track.ID(), Kind: track.Kind().String()})
		}
	}
	body, err := json.Marshal(event)
	if err != nil {
		return err
	}
	if err := m.send(ctx, protocol.Frame{Type: protocol.TypeSubscribeOffer, Body: body}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case answer := <-m.answers:
		m.mu.Lock()
		defer m.mu.Unlock()
		err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
		for _, c := range m.early {
			_ = pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex})
		}
		m.early = nil
		return err
	}
}
