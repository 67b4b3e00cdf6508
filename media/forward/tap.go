package forward

import (
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp"
)

// tap copies all of a peer's tracks, each through a queue of its own.
type tap struct {
	peer *Peer
	of   Tap

	mu      sync.Mutex
	stopped bool
	tracks  map[*track]*tapped
	running sync.WaitGroup
}

// tapped is one track of a tap. Offers come from the track's readers, the rest is for its goroutine.
type tapped struct {
	writer   PacketWriter
	packets  chan tapItem
	done     chan struct{}
	mime     string
	rewriter rewriter
	order    reorder
}

// tapItem is a packet, or a sender report of a layer.
type tapItem struct {
	pkt   *packet
	layer *layer
	ntp   time.Time
	rtp   uint32
}

// Bounds of one tapped track.
const (
	tapQueue = 512
	// tapFlush is how often a hole that is not filled is given up, at the latest.
	tapFlush = 50 * time.Millisecond
)

// Tap copies the peer's media until stop is called; stop closes the tap's writers and returns when they are closed. Of a simulcast track it
// takes the largest layer, from key frame to key frame. Writers are called from one goroutine per track.
func (p *Peer) Tap(of Tap) (stop func()) {
	t := &tap{peer: p, of: of, tracks: map[*track]*tapped{}}
	p.mu.Lock()
	closing := p.closing
	if !closing {
		p.taps = append(p.taps, t)
	}
	p.mu.Unlock()
	if closing {
		return func() {}
	}
	for _, published := range p.published() {
		if published.began.Load() {
			t.add(published)
		}
	}
	return func() {
		t.stop()
		p.mu.Lock()
		p.taps = slices.DeleteFunc(slices.Clone(p.taps), func(other *tap) bool { return other == t })
		p.mu.Unlock()
	}
}

// tapTrack offers a track that has started to the peer's taps.
func (p *Peer) tapTrack(t *track) {
	p.mu.Lock()
	taps := p.taps
	p.mu.Unlock()
	for _, tap := range taps {
		tap.add(t)
	}
}

// untapTrack ends what the taps have of a track.
func (p *Peer) untapTrack(t *track) {
	p.mu.Lock()
	taps := p.taps
	p.mu.Unlock()
	for _, tap := range taps {
		tap.remove(t)
	}
}

func (t *tap) add(of *track) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped || t.tracks[of] != nil || of.stopped.Load() {
		return
	}
	writer := t.of.Track(of.describe())
	if writer == nil {
		return
	}
	one := &tapped{writer: writer, packets: make(chan tapItem, tapQueue), done: make(chan struct{}), mime: of.codec.Load().mime, rewriter: rewriter{video: of.kind != Audio}}
	t.tracks[of] = one
	t.running.Go(one.run)
	change(&of.mu, &of.taps, one, true)
	if of.kind != Audio {
		for _, l := range of.section.list() {
			l.needKey()
		}
	}
}

func (t *tap) remove(of *track) {
	t.mu.Lock()
	one := t.tracks[of]
	delete(t.tracks, of)
	t.mu.Unlock()
	if one != nil {
		change(&of.mu, &of.taps, one, false)
		close(one.done)
	}
}

func (t *tap) stop() {
	t.mu.Lock()
	t.stopped = true
	tracks := t.tracks
	t.tracks = map[*track]*tapped{}
	t.mu.Unlock()
	for of, one := range tracks {
		change(&of.mu, &of.taps, one, false)
		close(one.done)
	}
	t.running.Wait()
}

// tapReport passes a sender report on to the track's taps.
func (t *track) tapReport(ntp time.Time, rtpTime uint32, l *layer) {
	if taps := t.taps.Load(); taps != nil {
		for _, one := range *taps {
			one.offer(tapItem{layer: l, ntp: ntp, rtp: rtpTime})
		}
	}
}

// offer never waits: what a slow writer leaves no room for is lost to it.
func (t *tapped) offer(i tapItem) {
	select {
	case t.packets <- i:
	default:
	}
}

// run writes until the tap is done with the track, and what has come until then.
func (t *tapped) run() {
	defer t.writer.Close()
	flush := time.NewTicker(tapFlush)
	defer flush.Stop()
	for {
		select {
		case i := <-t.packets:
			t.handle(i)
		case now := <-flush.C:
			t.order.flush(now.Add(-reorderFor), t.writer.WriteRTP)
		case <-t.done:
			for {
				select {
				case i := <-t.packets:
					t.handle(i)
					continue
				default:
				}
				t.order.flush(time.Time{}, t.writer.WriteRTP)
				return
			}
		}
	}
}

func (t *tapped) handle(i tapItem) {
	if i.pkt != nil {
		t.take(i.pkt)
	} else if t.rewriter.started && i.layer == t.rewriter.segment.layer {
		t.writer.SenderReport(i.ntp, i.rtp+t.rewriter.segment.tsOff)
	}
}

// take writes a packet of the layer that is copied, or of a better one that begins with a key frame.
func (t *tapped) take(p *packet) {
	if p.codec.mime != t.mime {
		return
	}
	if current := t.rewriter.segment.layer; t.rewriter.started && p.layer != current && current.live(p.arrived) &&
		(!p.key || p.layer.height.Load() <= current.height.Load()) {
		return
	}
	place, ok := t.rewriter.next(p)
	if !ok {
		if !p.key && !t.rewriter.follows(p) {
			// The layer that was copied has ended: nobody else may want a key frame of this one.
			p.layer.needKey()
		}
		return
	}
	// A copy: a writer may do with it what it likes.
	payload := slices.Clone(p.payload)
	if p.ids.pictureAt != 0 && p.ids.long {
		put15(payload[p.ids.pictureAt:], place.picture)
	}
	t.order.add(&rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: p.marker, SequenceNumber: place.seq, Timestamp: place.timestamp, SSRC: p.layer.ssrc},
		Payload: payload,
	}, p.arrived, t.writer.WriteRTP)
}

// Bounds of the reordering window.
const (
	reorderFor     = 150 * time.Millisecond
	reorderPackets = 128
)

// reorder holds packets back until those before them have come, for a short while.
type reorder struct {
	started bool
	next    uint16
	waiting []ordered
}

type ordered struct {
	packet  *rtp.Packet
	arrived time.Time
}

// add takes a packet and writes what is in order.
func (r *reorder) add(p *rtp.Packet, arrived time.Time, write func(*rtp.Packet, time.Time)) {
	if !r.started {
		r.started, r.next = true, p.SequenceNumber
	}
	if after(r.next, p.SequenceNumber) {
		return // given up already
	}
	at := len(r.waiting)
	for at > 0 && !after(p.SequenceNumber, r.waiting[at-1].packet.SequenceNumber) {
		at--
	}
	if at < len(r.waiting) && r.waiting[at].packet.SequenceNumber == p.SequenceNumber {
		return
	}
	r.waiting = slices.Insert(r.waiting, at, ordered{p, arrived})
	r.write(write)
	if len(r.waiting) > reorderPackets {
		r.next = r.waiting[0].packet.SequenceNumber
		r.write(write)
	}
}

// flush gives up holes before packets that arrived before then; the zero time: all.
func (r *reorder) flush(then time.Time, write func(*rtp.Packet, time.Time)) {
	for len(r.waiting) > 0 && (then.IsZero() || r.waiting[0].arrived.Before(then)) {
		r.next = r.waiting[0].packet.SequenceNumber
		r.write(write)
	}
}

// write writes from the front what has no hole before it.
func (r *reorder) write(write func(*rtp.Packet, time.Time)) {
	n := 0
	for n < len(r.waiting) && r.waiting[n].packet.SequenceNumber == r.next {
		write(r.waiting[n].packet, r.waiting[n].arrived)
		r.next++
		n++
	}
	r.waiting = slices.Delete(r.waiting, 0, n)
}
