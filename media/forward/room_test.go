package forward

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

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
