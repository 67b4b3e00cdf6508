package forward

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// Peer is one member's two connections. All methods are safe for concurrent use.
type Peer struct {
	id     uuid.UUID
	room   *Room
	cfg    Config
	events Events
	notify *notifier

	pub       *publisher
	sub       *subscriber
	bandwidth *bandwidth

	// What the member may do now.
	mayAudio, mayVideo, mayScreen, receive atomic.Bool

	// rtt to the publisher in nanoseconds, 0 until it is known.
	rtt atomic.Int64

	ctx        context.Context
	cancel     context.CancelFunc
	wake       chan struct{}
	background sync.WaitGroup // everything but the notifier
	notifying  sync.WaitGroup
	closeOnce  sync.Once

	// reporting is held while a sample is taken and told, so that a stream's samples and its summary come in order.
	reporting sync.Mutex

	mu      sync.Mutex
	closing bool
	wants   map[uuid.UUID]int
	states  map[Side]string
	taps    []*tap
}

func newPeer(r *Room, id uuid.UUID, events Events) *Peer {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Peer{
		id: id, room: r, cfg: r.server.cfg, events: events, notify: newNotifier(), bandwidth: newBandwidth(),
		ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1), wants: map[uuid.UUID]int{}, states: map[Side]string{},
	}
	p.pub, p.sub = newPublisher(p), newSubscriber(p)
	p.notifying.Go(p.notify.run)
	p.spawn(p.sub.write)
	p.spawn(p.run)
	return p
}

// spawn runs f in the background until it ends; not if the peer is closing.
func (p *Peer) spawn(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		p.background.Go(f)
	}
}

func (p *Peer) isClosing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closing
}

// poke makes the peer's goroutine look for what has changed.
func (p *Peer) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Publish takes the client's offer. Tracks in the answer's map are by mid; one that the client may not publish (AllowSend) is not in it.
// ErrInvalidSDP and ErrTooManyTracks are the client's errors.
func (p *Peer) Publish(ctx context.Context, sdp string, intents []Intent) (answer string, tracks map[string]uuid.UUID, err error) {
	if p.isClosing() {
		return "", nil, errClosed
	}
	return p.pub.offer(ctx, sdp, intents)
}

// Answer takes the client's answer to the SubscribeOffer of that version; an old version is ignored.
func (p *Peer) Answer(ctx context.Context, version uint64, sdp string) error {
	if p.isClosing() {
		return errClosed
	}
	return p.sub.answer(ctx, version, sdp)
}

// Offer offers anew what the member receives, for a client that may have lost its connections: one whose answer shows that it has another
// connection than before gets a new one.
func (p *Peer) Offer() {
	p.sub.mu.Lock()
	p.sub.anew = true
	p.sub.mu.Unlock()
	p.poke()
}

// AddCandidate takes a candidate of the client.
func (p *Peer) AddCandidate(side Side, c Candidate) error {
	if p.isClosing() {
		return errClosed
	}
	init := webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex}
	if side == PublishSide {
		return p.pub.candidate(init)
	}
	return p.sub.candidate(init)
}

// SetMuted notes that the client muted or unmuted a track of its own: a muted track is not forwarded. False: there is no such track.
func (p *Peer) SetMuted(id uuid.UUID, muted bool) bool {
	for _, t := range p.published() {
		if t.id == id {
			t.setMuted(muted)
			p.room.poke()
			return true
		}
	}
	return false
}

// AllowSend says which kinds the client may publish. Tracks of others stop at once, with TrackEnded "stopped".
func (p *Peer) AllowSend(audio, video, screen bool) {
	p.mayAudio.Store(audio)
	p.mayVideo.Store(video)
	p.mayScreen.Store(screen)
	for _, t := range p.published() {
		if !p.maySend(t.kind) {
			p.endTrack(t, "stopped")
		}
	}
}

func (p *Peer) maySend(k Kind) bool {
	switch k {
	case Audio:
		return p.mayAudio.Load()
	case Video:
		return p.mayVideo.Load()
	case Screen:
		return p.mayScreen.Load()
	}
	return false
}

// AllowReceive says whether the client gets media at all. Taking it away stops it at once.
func (p *Peer) AllowReceive(allowed bool) {
	p.receive.Store(allowed)
	p.room.poke()
}

// Want sets what the subscriber has room for; tracks left out are at the server's choice.
func (p *Peer) Want(wants []Want) {
	byTrack := make(map[uuid.UUID]int, len(wants))
	for _, w := range wants {
		byTrack[w.TrackID] = w.MaxHeight
	}
	p.mu.Lock()
	p.wants = byTrack
	p.mu.Unlock()
	p.room.poke()
	p.poke()
}

// wanted height of a track; false: the server's choice.
func (p *Peer) wanted(id uuid.UUID) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	height, ok := p.wants[id]
	return height, ok
}

// ClientStats adds what the client measured itself to the next report.
func (p *Peer) ClientStats(stats []protocol.TrackStats) { p.addClientStats(stats) }

// Tracks are those that the peer publishes now.
func (p *Peer) Tracks() []Track {
	var all []Track
	for _, t := range p.published() {
		all = append(all, t.describe())
	}
	return all
}

func (p *Peer) published() []*track {
	var all []*track
	for _, s := range p.pub.all() {
		if t := s.track.Load(); t != nil && !t.stopped.Load() {
			all = append(all, t)
		}
	}
	return all
}

// trackStarted tells everybody that a track's media flows.
func (p *Peer) trackStarted(t *track) {
	described := t.describe()
	p.notify.tell(func() { p.events.TrackStarted(described) })
	p.tapTrack(t)
	p.room.addTrack(t)
}

// endTrack stops a track for good.
func (p *Peer) endTrack(t *track, reason string) {
	t.section.track.CompareAndSwap(t, nil)
	if !t.end() {
		return
	}
	p.room.removeTrack(t)
	p.untapTrack(t)
	p.streamEnded(t)
	described := t.describe()
	p.notify.tell(func() { p.events.TrackEnded(described, reason) })
}

// diagnose tells what the server noticed.
func (p *Peer) diagnose(name, value string, lane eventpb.Lane) {
	p.notify.tell(func() { p.events.Diagnostic(name, value, lane) })
}

// connection tells a connection's state when it has changed to one that clients know.
func (p *Peer) connection(side Side, state webrtc.PeerConnectionState) {
	var known string
	switch state {
	case webrtc.PeerConnectionStateConnected:
		known = "connected"
	case webrtc.PeerConnectionStateDisconnected:
		known = "disconnected"
	case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
		// Closed by the client: the peer itself closes only what it no longer listens to.
		known = "failed"
	default:
		return
	}
	p.mu.Lock()
	changed := p.states[side] != known && !p.closing
	p.states[side] = known
	p.mu.Unlock()
	if changed {
		p.notify.tell(func() { p.events.ConnectionChanged(side, known) })
	}
}

// Periods of the peer's goroutine.
const (
	repairPeriod = 25 * time.Millisecond // requests for lost packets and key frames; every fourth, transport-wide feedback
	layerPeriod  = 500 * time.Millisecond
	secondPeriod = time.Second
)

// run does what is due until the peer closes.
func (p *Peer) run() {
	repair, layers, second, report := time.NewTicker(repairPeriod), time.NewTicker(layerPeriod), time.NewTicker(secondPeriod), time.NewTicker(p.cfg.ReportInterval)
	defer repair.Stop()
	defer layers.Stop()
	defer second.Stop()
	defer report.Stop()
	last, rounds, repairing := time.Now(), 0, true
	for {
		// Most members of a big meeting publish nothing: forty turns a second each would be the most of the work.
		if busy := p.pub.busy(); busy != repairing {
			repairing = busy
			if busy {
				repair.Reset(repairPeriod)
			} else {
				repair.Stop()
			}
		}
		select {
		case <-p.ctx.Done():
			return
		case <-p.wake:
			p.negotiate()
		case now := <-repair.C:
			p.repair(now)
			if rounds++; rounds%4 == 0 {
				p.pub.sendFeedback()
			}
		case now := <-layers.C:
			p.chooseLayers(now)
			p.negotiate()
		case now := <-second.C:
			p.everySecond(now, now.Sub(last))
			last = now
		case now := <-report.C:
			p.report(now)
		}
	}
}

// negotiate offers what has changed. A failure is tried again with the next change or tick.
func (p *Peer) negotiate() {
	if err := p.sub.negotiate(); err != nil && p.ctx.Err() == nil {
		p.diagnose("subscribeNegotiation", "Bad", eventpb.Lane_LANE_NETWORK)
	}
}

// Close ends both connections and tells the others; it returns when the peer's goroutines have ended and the last events have been sent.
func (p *Peer) Close() {
	p.closeOnce.Do(func() {
		p.mu.Lock()
		p.closing = true
		taps := p.taps
		p.mu.Unlock()
		p.cancel()
		p.room.remove(p)
		p.pub.close("closed")
		p.sub.close()
		for _, t := range taps {
			t.stop()
		}
		p.background.Wait()
		p.notify.close()
	})
	p.notifying.Wait()
}
