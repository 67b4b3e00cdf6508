package forward

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
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

func TestManyTracksAreOfferedTogether(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	b := join(t, room, clientOptions{})
	sources := map[*source]bool{}
	for range 6 {
		m := join(t, room, clientOptions{})
		audio, video := newLocal(t, webrtc.MimeTypeOpus), newLocal(t, webrtc.MimeTypeVP8)
		m.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio, Video: video})
		sources[&source{track: audio}], sources[&source{track: video}] = true, false
	}
	play(t, sources)
	b.until("all 12 tracks", func() bool { return b.flowing(10) == 12 })
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.offers > 8 {
		t.Errorf("%d offers for 12 tracks: they are not batched", b.offers)
	}
}

func TestLastNVideoLeavesOutTheRest(t *testing.T) {
	room, _ := newTestRoom(t, func(c *Config) { c.LastNVideo = 2 })
	b := join(t, room, clientOptions{})
	var ids []uuid.UUID
	sources := map[*source]bool{}
	for range 4 {
		m := join(t, room, clientOptions{})
		video := newLocal(t, webrtc.MimeTypeVP8)
		ids = append(ids, m.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Video: video})[Video])
		sources[&source{track: video}] = false
	}
	play(t, sources)
	b.until("two cameras", func() bool { return len(b.mids) == 2 && b.flowing(5) >= 2 })
	var wants []Want
	for _, id := range ids {
		wants = append(wants, Want{TrackID: id, MaxHeight: 180})
	}
	b.peer.Want(wants)
	b.until("all that it wants", func() bool { return len(b.mids) == 4 })
	wants[0].MaxHeight = 0
	b.peer.Want(wants)
	b.until("none that it has no room for", func() bool {
		return len(b.mids) == 3 && !slices.ContainsFunc(slices.Collect(mapsValues(b.mids)), func(s Subscribed) bool { return s.TrackID == ids[0] })
	})
}

func mapsValues[K comparable, V any](m map[K]V) func(func(V) bool) {
	return func(yield func(V) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

func TestUndecodableCodecIsDiagnosed(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a := join(t, room, clientOptions{})
	b := join(t, room, clientOptions{engine: func(m *webrtc.MediaEngine) error {
		return m.RegisterCodec(webrtc.RTPCodecParameters{
			PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000},
		}, webrtc.RTPCodecTypeVideo)
	}})
	av1, vp8 := newLocal(t, webrtc.MimeTypeAV1), newLocal(t, webrtc.MimeTypeVP8)
	ids := a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Video: av1, Screen: vp8})
	play(t, map[*source]bool{{track: av1}: false, {track: vp8}: false})
	b.until("the diagnostic", func() bool { return slices.Contains(b.notes, "codecNotSupported True") })
	b.until("the other track", func() bool { r := b.received[ids[Screen]]; return r != nil && len(r.packets) > 10 })
	b.until("an offer without the first", func() bool { return len(b.mids) == 1 })
}

func TestActiveSpeakers(t *testing.T) {
	room, events := newTestRoom(t, nil)
	a := join(t, room, clientOptions{engine: withAudioLevel})
	b := join(t, room, clientOptions{})
	audio := newLocal(t, webrtc.MimeTypeOpus)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio})
	var id uint8
	for _, x := range a.pub.GetSenders()[0].GetParameters().HeaderExtensions {
		if x.URI == extAudioLevel {
			id = uint8(x.ID)
		}
	}
	if id == 0 {
		t.Fatal("audio level was not negotiated")
	}
	level := byte(20)
	deadline := time.Now().Add(patience)
	told := func(want []uuid.UUID) bool {
		events.mu.Lock()
		defer events.mu.Unlock()
		return len(events.speakers) > 0 && slices.Equal(events.speakers[len(events.speakers)-1], want)
	}
	for n := uint16(0); time.Now().Before(deadline) && !told([]uuid.UUID{a.id}); n++ {
		h := rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960}
		_ = h.SetExtension(id, []byte{0x80 | level})
		_ = audio.WriteRTP(&rtp.Packet{Header: h, Payload: make([]byte, 60)})
		time.Sleep(20 * time.Millisecond)
	}
	if !told([]uuid.UUID{a.id}) {
		t.Fatal("the speaker was not told")
	}
	for time.Now().Before(deadline) && !told([]uuid.UUID{}) {
		time.Sleep(20 * time.Millisecond)
	}
	if !told([]uuid.UUID{}) {
		t.Error("who fell silent is told as speaking")
	}
	_ = b
}

func withAudioLevel(m *webrtc.MediaEngine) error {
	if err := m.RegisterDefaultCodecs(); err != nil {
		return err
	}
	return m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: extAudioLevel}, webrtc.RTPCodecTypeAudio)
}

func TestPublishRefusesWhatCantWork(t *testing.T) {
	room, _ := newTestRoom(t, func(c *Config) { c.MaxTracks = 1 })
	a := join(t, room, clientOptions{})
	good := "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n"
	for _, c := range []struct {
		name, sdp string
		intents   []Intent
		want      error
	}{
		{"nothing", "", nil, ErrInvalidSDP},
		{"no SDP", "hello", nil, ErrInvalidSDP},
		{"too long", strings.Repeat("a", 300<<10), nil, ErrInvalidSDP},
		{"no section", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", nil, ErrInvalidSDP},
		{"no ICE, no fingerprint", good, nil, ErrInvalidSDP},
		{"data channel", strings.Replace(good, "m=audio", "m=application", 1), nil, ErrInvalidSDP},
		{"no mid", strings.Replace(good, "a=mid:0\r\n", "", 1), nil, ErrInvalidSDP},
		{"unknown mid", good, []Intent{{Mid: "7", Kind: Audio}}, ErrInvalidSDP},
		{"wrong kind", good, []Intent{{Mid: "0", Kind: Video}}, ErrInvalidSDP},
		{"unknown kind", good, []Intent{{Mid: "0", Kind: "smell"}}, ErrInvalidSDP},
		{"twice", good, []Intent{{Mid: "0", Kind: Audio}, {Mid: "0", Kind: Audio}}, ErrInvalidSDP},
		{"too many sections", good + strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:x\r\n", 100), nil, ErrTooManyTracks},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := a.peer.Publish(t.Context(), c.sdp, c.intents); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	if err := a.peer.AddCandidate(PublishSide, Candidate{Candidate: "nonsense"}); err != nil {
		t.Errorf("a candidate before the offer is kept: %v", err)
	}
	if err := a.peer.Answer(t.Context(), 1, "nonsense"); !errors.Is(err, ErrInvalidSDP) {
		t.Errorf("answer error %v, want %v", err, ErrInvalidSDP)
	}
	// All of that leaves the member able to publish, up to its limit.
	pc, err := a.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	a.pub = pc
	of := map[*webrtc.RTPTransceiver]Kind{}
	one, err := pc.AddTransceiverFromTrack(newLocal(t, webrtc.MimeTypeOpus), webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	of[one] = Audio
	if _, err := a.offer(of); err != nil {
		t.Error(err)
	}
	two, err := pc.AddTransceiverFromTrack(newLocal(t, webrtc.MimeTypeVP8), webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	of[two] = Video
	if _, err := a.offer(of); !errors.Is(err, ErrTooManyTracks) {
		t.Errorf("error %v, want %v", err, ErrTooManyTracks)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	server := newServer(t, nil)
	before := runtime.NumGoroutine()
	const rooms, peers = 5, 4
	for round := range rooms {
		room := server.NewRoom(&roomEvents{})
		var members []*member
		sources := map[*source]bool{}
		for range peers {
			m := join(t, room, clientOptions{})
			audio := newLocal(t, webrtc.MimeTypeOpus)
			m.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio})
			sources[&source{track: audio}] = true
			members = append(members, m)
		}
		stop := play(t, sources)
		if round%2 == 0 {
			for _, m := range members {
				m.until("the others", func() bool { return m.flowing(3) == peers-1 })
			}
		}
		stop()
		members[0].close()
		room.Close()
		for _, m := range members {
			m.close()
			if _, _, err := m.peer.Publish(t.Context(), "", nil); !errors.Is(err, errClosed) {
				t.Errorf("publish after close: %v", err)
			}
		}
	}
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before+2 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before+2 {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", n, before, stacks[:runtime.Stack(stacks, true)])
	}
}

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

// recorded is a tap of one track.
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

func TestClientWithoutUDPUsesTCP(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b := join(t, room, clientOptions{tcp: true}), join(t, room, clientOptions{tcp: true})
	video := newLocal(t, webrtc.MimeTypeVP8)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Video: video})
	play(t, map[*source]bool{{track: video}: false})
	b.until("video over TCP", func() bool { return b.flowing(30) == 1 })
}

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

func TestConnectionThatTheClientClosedIsTold(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a := join(t, room, clientOptions{})
	audio := newLocal(t, webrtc.MimeTypeOpus)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio})
	stop := play(t, map[*source]bool{{track: audio}: true})
	a.until("the connection", func() bool { return a.states[PublishSide] == "connected" && len(a.started) == 1 })
	stop()
	if err := a.pub.GracefulClose(); err != nil {
		t.Fatal(err)
	}
	a.until("its end", func() bool { return a.states[PublishSide] == "failed" })
	// The same member, loaded again.
	a.pub = nil
	again := newLocal(t, webrtc.MimeTypeOpus)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: again})
	play(t, map[*source]bool{{track: again}: true})
	a.until("media again", func() bool { return len(a.started) == 2 && slices.Contains(a.ended, "audio unpublished") })
}
