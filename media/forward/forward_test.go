package forward

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// newTestRoom is a room of a server of its own.
func newTestRoom(t testing.TB, change func(*Config)) (*Room, *roomEvents) {
	t.Helper()
	events := &roomEvents{}
	return newServer(t, change).NewRoom(events), events
}

func TestMediaFlowsBothWays(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
	sources := map[*source]bool{}
	for _, m := range []*member{a, b} {
		audio, video := newLocal(t, webrtc.MimeTypeOpus), newLocal(t, webrtc.MimeTypeVP8)
		tracks := m.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio, Video: video})
		if len(tracks) != 2 {
			t.Fatalf("tracks %v, want audio and video", tracks)
		}
		sources[&source{track: audio}], sources[&source{track: video}] = true, false
	}
	play(t, sources)
	for _, m := range []*member{a, b} {
		m.until("50 packets of audio and of video", func() bool { return m.flowing(50) == 2 })
		m.until("both connections connected", func() bool {
			return cmp.Equal(m.states, map[Side]string{PublishSide: "connected", SubscribeSide: "connected"})
		})
		for _, r := range m.received {
			wantContinuous(t, r)
		}
		if len(m.started) != 2 {
			t.Errorf("started %v, want two tracks", m.started)
		}
	}
}

// flowing is how many tracks have so many packets; the lock is held.
func (m *member) flowing(packets int) int {
	n := 0
	for _, r := range m.received {
		if len(r.packets) >= packets {
			n++
		}
	}
	return n
}

// wantContinuous fails unless sequence numbers have no gap and timestamps never go back.
func wantContinuous(t *testing.T, r *received) {
	t.Helper()
	for i := 1; i < len(r.packets); i++ {
		got, before := r.packets[i], r.packets[i-1]
		if got.SequenceNumber != before.SequenceNumber+1 {
			t.Errorf("packet %d has sequence number %d after %d", i, got.SequenceNumber, before.SequenceNumber)
			return
		}
		if int32(got.Timestamp-before.Timestamp) < 0 {
			t.Errorf("packet %d has timestamp %d after %d", i, got.Timestamp, before.Timestamp)
			return
		}
	}
}

func TestMutedTrackIsNotForwarded(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
	audio, video := newLocal(t, webrtc.MimeTypeOpus), newLocal(t, webrtc.MimeTypeVP8)
	ids := a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio, Video: video})
	as, vs := &source{track: audio}, &source{track: video}
	send := func(n int) {
		for range n {
			as.next(true)
			vs.next(false)
			time.Sleep(5 * time.Millisecond)
		}
	}
	stop := play(t, map[*source]bool{as: true, vs: false})
	b.until("media", func() bool { return b.flowing(20) == 2 })
	stop()
	if a.peer.SetMuted(uuid.New(), true) {
		t.Error("a track that is not there can be muted")
	}
	for _, id := range ids {
		if !a.peer.SetMuted(id, true) {
			t.Fatal("no such track")
		}
	}
	time.Sleep(100 * time.Millisecond) // what was on its way before
	counts := func() map[uuid.UUID]int {
		b.mu.Lock()
		defer b.mu.Unlock()
		n := map[uuid.UUID]int{}
		for id, r := range b.received {
			n[id] = len(r.packets)
		}
		return n
	}
	before := counts()
	send(40)
	time.Sleep(100 * time.Millisecond)
	if diff := cmp.Diff(before, counts()); diff != "" {
		t.Errorf("packets of muted tracks came (-before +after):\n%s", diff)
	}
	for _, id := range ids {
		a.peer.SetMuted(id, false)
	}
	play(t, map[*source]bool{as: true, vs: false})
	b.until("media again", func() bool {
		for id, n := range before {
			if len(b.received[id].packets) < n+20 {
				return false
			}
		}
		return true
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.received {
		wantContinuous(t, r)
	}
	if p := b.received[ids[Video]].packets[before[ids[Video]]]; p.Payload[5]&1 != 0 {
		t.Error("video goes on after a mute with a packet that is not of a key frame")
	}
}

func TestWithdrawnStopsAtOnce(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
	audio, video := newLocal(t, webrtc.MimeTypeOpus), newLocal(t, webrtc.MimeTypeVP8)
	ids := a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio, Video: video})
	play(t, map[*source]bool{{track: audio}: true, {track: video}: false})
	b.until("media", func() bool { return b.flowing(20) == 2 })

	a.peer.AllowSend(true, false, false)
	a.until("the end of the video", func() bool { return cmp.Equal(a.ended, []string{"video stopped"}) })
	b.until("an offer without the video", func() bool { return len(b.mids) == 1 })
	a.until("the summary of the video", func() bool { return len(a.finished) == 1 })
	if tracks := a.peer.Tracks(); len(tracks) != 1 || tracks[0].ID != ids[Audio] {
		t.Errorf("tracks are %v, want the audio", tracks)
	}
	a.mu.Lock()
	if got := a.finished[0].GetPackets(); got < 20 {
		t.Errorf("summary has %d packets, want 20 and more", got)
	}
	a.mu.Unlock()

	b.peer.AllowReceive(false)
	b.until("an offer without anything", func() bool { return len(b.mids) == 0 })
	b.mu.Lock()
	n := len(b.received[ids[Audio]].packets)
	b.mu.Unlock()
	time.Sleep(100 * time.Millisecond)
	b.mu.Lock()
	if later := len(b.received[ids[Audio]].packets); later > n+1 {
		t.Errorf("%d packets after receiving was withdrawn", later-n)
	}
	b.mu.Unlock()
	b.peer.AllowReceive(true)
	b.until("audio again, in the section that it had", func() bool { return len(b.mids) == 1 && len(b.received[ids[Audio]].packets) > 20 })
}

func TestUnpublishEndsTrackAndSectionIsUsedAgain(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
	first := newLocal(t, webrtc.MimeTypeVP8)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Video: first})
	stop := play(t, map[*source]bool{{track: first}: false})
	b.until("first video", func() bool { return b.flowing(20) == 1 })
	stop()
	if err := a.pub.RemoveTrack(a.pub.GetSenders()[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := a.offer(nil); err != nil {
		t.Fatal(err)
	}
	a.until("the end", func() bool { return cmp.Equal(a.ended, []string{"video unpublished"}) })
	b.until("an offer without it", func() bool { return len(b.mids) == 0 })

	c := join(t, room, clientOptions{})
	second := newLocal(t, webrtc.MimeTypeVP8)
	ids := c.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Screen: second})
	play(t, map[*source]bool{{track: second}: false})
	b.until("second video", func() bool { r := b.received[ids[Screen]]; return r != nil && len(r.packets) > 20 })
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := strings.Count(b.sub.RemoteDescription().SDP, "m=video"); n != 1 {
		t.Errorf("%d video sections, want the first to be used again", n)
	}
}

func TestKeyFrameRequestsAreThrottledAndMerged(t *testing.T) {
	room, _ := newTestRoom(t, func(c *Config) { c.KeyframeInterval = 10 * time.Second })
	a := join(t, room, clientOptions{})
	video := newLocal(t, webrtc.MimeTypeVP8)
	pc, err := a.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	a.pub = pc
	transceiver, err := pc.AddTransceiverFromTrack(video, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	requests := 0
	go func() {
		for {
			packets, _, err := transceiver.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				if _, ok := p.(*rtcp.PictureLossIndication); ok {
					a.note(func() { requests++ })
				}
			}
		}
	}()
	if _, err := a.offer(map[*webrtc.RTPTransceiver]Kind{transceiver: Video}); err != nil {
		t.Fatal(err)
	}
	play(t, map[*source]bool{{track: video}: false})
	var others []*member
	for range 5 {
		others = append(others, join(t, room, clientOptions{}))
	}
	for _, m := range others {
		m.until("video", func() bool { return m.flowing(10) == 1 })
		for range 3 {
			_ = m.sub.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(m.sub.GetReceivers()[0].Track().SSRC())}})
		}
	}
	a.until("a request", func() bool { return requests > 0 })
	time.Sleep(200 * time.Millisecond)
	a.mu.Lock()
	defer a.mu.Unlock()
	if requests != 1 {
		t.Errorf("%d requests for key frames within the interval, want 1", requests)
	}
}

// recorded is a tap of one track.
// blocked is a connection that takes nothing.
type blocked struct {
	webrtc.TrackLocalWriter
	release chan struct{}
}

func (b blocked) WriteRTP(*rtp.Header, []byte) (int, error) { <-b.release; return 0, nil }

func TestSlowSubscriberDelaysNobody(t *testing.T) {
	room, _ := newTestRoom(t, func(c *Config) { c.QueuePackets = 16; c.ReportInterval = time.Second })
	a, slow, other := join(t, room, clientOptions{}), join(t, room, clientOptions{}), join(t, room, clientOptions{})
	video := newLocal(t, webrtc.MimeTypeVP8)
	id := a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Video: video})[Video]
	play(t, map[*source]bool{{track: video}: false})
	slow.until("video", func() bool { return slow.flowing(10) == 1 })
	other.until("video", func() bool { return other.flowing(10) == 1 })
	sub := slow.peer.sub.all()[0]
	stuck := *sub.bound.Load()
	release := make(chan struct{})
	defer close(release)
	stuck.stream = blocked{release: release}
	sub.bound.Store(&stuck)
	other.until("200 more packets", func() bool { return len(other.received[id].packets) > 210 })
	other.mu.Lock()
	wantContinuous(t, other.received[id])
	other.mu.Unlock()
	if sub.out.Totals().Dropped == 0 && sub.dropped.Load() == 0 {
		t.Error("the slow subscriber's packets were not dropped")
	}
}
