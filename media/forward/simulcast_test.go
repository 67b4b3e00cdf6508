package forward

import (
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// simulcast publishes three layers and gives a function that sends one frame of each, named by mid and rid or not;
// its last eight bytes are when it was taken, in microseconds. Layers q, h and f have payloads of 300, 600 and 1,200 bytes.
func simulcast(t *testing.T, m *member) (id uuid.UUID, frame func(key, named bool)) {
	t.Helper()
	pc, err := m.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	m.pub = pc
	var tracks []*webrtc.TrackLocalStaticRTP
	var transceiver *webrtc.RTPTransceiver
	for i, rid := range []string{"q", "h", "f"} {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, "v", "s", webrtc.WithRTPStreamID(rid))
		if err != nil {
			t.Fatal(err)
		}
		tracks = append(tracks, track)
		if i == 0 {
			transceiver, err = pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		} else {
			err = transceiver.Sender().AddEncoding(track)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	go drain(transceiver.Sender())
	ids, err := m.offer(map[*webrtc.RTPTransceiver]Kind{transceiver: Video})
	if err != nil {
		t.Fatal(err)
	}
	var midID, ridID uint8
	for _, x := range transceiver.Sender().GetParameters().HeaderExtensions {
		switch x.URI {
		case "urn:ietf:params:rtp-hdrext:sdes:mid":
			midID = uint8(x.ID)
		case "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id":
			ridID = uint8(x.ID)
		}
	}
	var n uint16
	began := time.Now()
	return ids[Video], func(key, named bool) {
		now := time.Now()
		clock := uint32(now.Sub(began).Microseconds() * 9 / 100) //nolint:gosec // wraps
		for i, track := range tracks {
			payload := vp8(n*uint16(i+3), key, 300<<i)
			binary.BigEndian.PutUint64(payload[len(payload)-8:], uint64(now.UnixMicro())) //nolint:gosec // after 1970
			if key {
				// Heights 180, 360, 720.
				height := 180 << i
				payload[13], payload[14] = byte(height), byte(height>>8)
			}
			h := rtp.Header{Version: 2, SequenceNumber: 60000 + 1000*uint16(i) + n, Timestamp: uint32(i)*1e9 + clock, Marker: true}
			if named {
				_ = h.SetExtension(midID, []byte(transceiver.Mid()))
				_ = h.SetExtension(ridID, []byte(track.RID()))
			}
			_ = track.WriteRTP(&rtp.Packet{Header: h, Payload: payload})
		}
		n++
	}
}

// frames sends simulcast frames, a key frame every 25, until stopped or the test ends.
func frames(t *testing.T, frame func(key, named bool), named bool) (stop func()) {
	t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-tick.C:
				frame(n%25 == 0, named)
			}
		}
	}()
	stop = sync.OnceFunc(func() { close(done); <-ended })
	t.Cleanup(stop)
	return stop
}

func TestSimulcastLayerSwitchesAtKeyFrame(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
	id, frame := simulcast(t, a)
	b.peer.Want([]Want{{TrackID: id, MaxHeight: 180}})
	frames(t, frame, true)
	sized := func(size int, n int) func() bool {
		return func() bool {
			r := b.received[id]
			return r != nil && len(r.packets) > n && !slices.ContainsFunc(r.packets[len(r.packets)-n:], func(p rtp.Packet) bool { return len(p.Payload) != size })
		}
	}
	b.until("the small layer", sized(300, 30))
	b.peer.Want([]Want{{TrackID: id, MaxHeight: 720}})
	b.until("the large layer", sized(1200, 30))
	b.peer.Want([]Want{{TrackID: id, MaxHeight: 180}})
	b.until("the small layer again", sized(300, 30))
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.received[id]
	wantContinuous(t, r)
	switches := 0
	for i := 1; i < len(r.packets); i++ {
		got, before := r.packets[i], r.packets[i-1]
		if len(got.Payload) == len(before.Payload) {
			continue
		}
		switches++
		if got.Payload[5]&1 != 0 {
			t.Errorf("packet %d is of another layer and no key frame", i)
		}
		_, _, x := describeVP8(before.Payload)
		_, _, y := describeVP8(got.Payload)
		if y.picture != (x.picture+1)&0x7fff || y.tl0 != x.tl0+1 {
			t.Errorf("picture %d, TL0PICIDX %d follow %d, %d", y.picture, y.tl0, x.picture, x.tl0)
		}
		if step := got.Timestamp - before.Timestamp; step == 0 || step > 90000 {
			t.Errorf("timestamp goes on by %d at a switch", step)
		}
	}
	if switches < 2 {
		t.Errorf("%d switches, want 2 and more", switches)
	}
}
