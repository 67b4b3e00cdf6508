package forward

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/measure"
)

// track is what a member publishes at one media section, with all layers.
type track struct {
	id      uuid.UUID
	kind    Kind
	section *section
	peer    *Peer

	muted, stopped atomic.Bool
	// epoch counts what breaks the flow of packets (mute), so that subscribers' numbers go on without a hole after it.
	epoch atomic.Uint32
	// began is set with the first packet; codec is that of it.
	began    atomic.Bool
	codec    atomic.Pointer[codecInfo]
	loudness loudness

	// subscribers and taps are replaced, never changed: the readers take what is there.
	mu          sync.Mutex
	subscribers atomic.Pointer[[]*subscription]
	taps        atomic.Pointer[[]*tapped]
	ended       bool
	life        *measure.Life
	// since is when life began.
	since time.Time
	told  told
}

func newTrack(s *section, kind Kind, muted bool) *track {
	t := &track{id: uuid.New(), kind: kind, section: s, peer: s.publisher.peer}
	t.muted.Store(muted)
	return t
}

// silent: nothing of the track may be forwarded.
func (t *track) silent() bool { return t.stopped.Load() || t.muted.Load() }

// describe is the track as others know it.
func (t *track) describe() Track {
	d := Track{ID: t.id, Owner: t.peer.id, Kind: t.kind, Muted: t.muted.Load()}
	if codec := t.codec.Load(); codec != nil {
		d.MimeType, d.ClockRate, d.Channels = codec.mime, codec.clockRate, codec.channels
	}
	return d
}

// start tells that media flows, once.
func (t *track) start(l *layer) {
	if t.began.Load() || !t.began.CompareAndSwap(false, true) {
		return
	}
	codec := l.codec.Load()
	t.mu.Lock()
	t.codec.Store(codec)
	t.since = time.Now()
	t.life = measure.NewLife(measure.Stream{
		ID: t.id, Participant: t.peer.id, Direction: eventpb.Direction_DIRECTION_OUTBOUND, Media: media(t.kind), SSRC: l.ssrc, Codec: codec.name,
		Started: t.since,
	})
	t.mu.Unlock()
	t.peer.trackStarted(t)
}

// forward hands a packet to everybody who gets the track. It never waits.
func (t *track) forward(p *packet) {
	if subscribers := t.subscribers.Load(); subscribers != nil {
		for _, s := range *subscribers {
			s.offer(p)
		}
	}
	if taps := t.taps.Load(); taps != nil {
		for _, one := range *taps {
			one.offer(tapItem{pkt: p})
		}
	}
}

func (t *track) subscribe(s *subscription) { change(&t.mu, &t.subscribers, s, true) }

func (t *track) unsubscribe(s *subscription) { change(&t.mu, &t.subscribers, s, false) }

// change adds to or takes from a list that readers use without a lock.
func change[T comparable](mu *sync.Mutex, list *atomic.Pointer[[]T], one T, add bool) {
	mu.Lock()
	defer mu.Unlock()
	var next []T
	if now := list.Load(); now != nil {
		next = slices.DeleteFunc(slices.Clone(*now), func(other T) bool { return other == one })
	}
	if add {
		next = append(next, one)
	}
	list.Store(&next)
}

// setMuted stops or resumes forwarding.
func (t *track) setMuted(muted bool) {
	if t.muted.Swap(muted) == muted {
		return
	}
	t.epoch.Add(1)
	for _, l := range t.section.list() {
		if muted {
			l.in.Pause()
		}
		l.cache.drop()
		if !muted && t.kind != Audio {
			l.needKey()
		}
	}
	t.loudness.clear()
}

// end stops the track for good; false: it had ended before.
func (t *track) end() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.ended = true
	t.stopped.Store(true)
	t.epoch.Add(1)
	for _, l := range t.section.list() {
		l.cache.drop()
	}
	return true
}

// media is the kind as events have it.
func media(k Kind) eventpb.Media {
	switch k {
	case Audio:
		return eventpb.Media_MEDIA_AUDIO
	case Screen:
		return eventpb.Media_MEDIA_SCREEN
	case Video:
		return eventpb.Media_MEDIA_VIDEO
	}
	return eventpb.Media_MEDIA_UNSPECIFIED
}
