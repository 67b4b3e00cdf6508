package forward

import (
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

func TestTapGetsPacketsInOrder(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a := join(t, room, clientOptions{})
	audio := newLocal(t, webrtc.MimeTypeOpus)
	ids := a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio})
	w := &recorded{changed: make(chan struct{}, 1)}
	play(t, map[*source]bool{{track: audio}: true})
	a.until("the start", func() bool { return len(a.started) == 1 })
	stop := a.peer.Tap(w)
	deadline := time.After(patience)
	for w.count() < 30 {
		select {
		case <-w.changed:
		case <-deadline:
			t.Fatalf("%d packets", w.count())
		}
	}
	stop()
	n := w.count()
	time.Sleep(50 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seqs) != n || !w.closed || w.track.ID != ids[Audio] {
		t.Errorf("%d packets then %d, closed %v, track %v", n, len(w.seqs), w.closed, w.track)
	}
	for i := 1; i < len(w.seqs); i++ {
		if w.seqs[i] != w.seqs[i-1]+1 {
			t.Fatalf("number %d after %d", w.seqs[i], w.seqs[i-1])
		}
	}
}

type recorded struct {
	mu      sync.Mutex
	track   Track
	seqs    []uint16
	closed  bool
	changed chan struct{}
}

func (r *recorded) Track(t Track) PacketWriter { r.track = t; return r }

func (r *recorded) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seqs)
}

func (r *recorded) WriteRTP(p *rtp.Packet, _ time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seqs = append(r.seqs, p.SequenceNumber)
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func (r *recorded) SenderReport(time.Time, uint32) {}

func (r *recorded) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		panic("closed twice")
	}
	r.closed = true
}

// What is muted is not recorded: a tap gets a track's packets until it is muted, and again when it no longer is.
func TestTapGetsNothingOfAMutedTrack(t *testing.T) {
	for kind, mime := range map[Kind]string{Audio: webrtc.MimeTypeOpus, Video: webrtc.MimeTypeVP8} {
		t.Run(string(kind), func(t *testing.T) {
			room, _ := newTestRoom(t, nil)
			a := join(t, room, clientOptions{})
			local := newLocal(t, mime)
			id := a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{kind: local})[kind]
			w := &recorded{changed: make(chan struct{}, 1)}
			a.peer.SetMuted(id, true)
			stop := a.peer.Tap(w)
			defer stop()
			play(t, map[*source]bool{{track: local}: kind == Audio})
			until(t, "packets at the server", func() bool {
				layers := a.peer.pub.all()[0].list()
				return len(layers) == 1 && layers[0].counted.Load() > 2000
			})
			if n := w.count(); n != 0 {
				t.Errorf("%d packets of a track that was muted from the beginning", n)
			}
			a.peer.SetMuted(id, false)
			until(t, "packets of an unmuted track", func() bool { return w.count() > 30 })
			a.peer.SetMuted(id, true)
			// What was on its way when it was muted is written within the window of reordering.
			time.Sleep(2 * reorderFor)
			before := w.count()
			time.Sleep(2 * reorderFor)
			if n := w.count(); n != before {
				t.Errorf("%d packets after the mute", n-before)
			}
			a.peer.SetMuted(id, false)
			until(t, "packets after the mute", func() bool { return w.count() > before+30 })
		})
	}
}

// until waits for what tells of no change.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
