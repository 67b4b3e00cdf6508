package forward

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// By the sender reports that a subscriber gets, audio and video that were taken together play together, whichever layer the video is of.
func TestLipsStayInStepThroughLayerSwitches(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
	video, frame := simulcast(t, a)
	// At once: the first offer's receivers are not started when the second comes.
	audio := newLocal(t, webrtc.MimeTypeOpus)
	transceiver, err := a.pub.AddTransceiverFromTrack(audio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	go drain(transceiver.Sender())
	ids, err := a.offer(map[*webrtc.RTPTransceiver]Kind{a.pub.GetTransceivers()[0]: Video, transceiver: Audio})
	if err != nil {
		t.Fatal(err)
	}
	began, n := time.Now(), uint16(0)
	frames(t, func(key, named bool) {
		frame(key, named)
		now := time.Now()
		payload := make([]byte, 80)
		binary.BigEndian.PutUint64(payload[72:], uint64(now.UnixMicro())) //nolint:gosec // after 1970
		n++
		_ = audio.WriteRTP(&rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: n, Timestamp: 77 + uint32(now.Sub(began).Microseconds()*48/1000)}, //nolint:gosec // wraps
			Payload: payload,
		})
	}, true)
	for _, step := range []struct{ height, size int }{{180, 300}, {360, 600}, {720, 1200}, {180, 300}} {
		b.peer.Want([]Want{{TrackID: video, MaxHeight: step.height}})
		var videoOff, audioOff time.Duration
		b.until("the layer, and reports of both after it", func() bool {
			v, x := b.received[video], b.received[ids[Audio]]
			if v == nil || x == nil || len(v.packets) < 100 {
				return false
			}
			for _, p := range v.packets[len(v.packets)-100:] {
				if len(p.Payload) != step.size {
					return false
				}
			}
			var known, alsoKnown bool
			videoOff, known = b.off(v)
			audioOff, alsoKnown = b.off(x)
			return known && alsoKnown
		})
		if apart := (videoOff - audioOff).Abs(); apart > 20*time.Millisecond {
			t.Errorf("at %d lines video and audio are %s apart", step.height, apart)
		} else {
			t.Logf("%d lines: %s apart", step.height, apart)
		}
	}
}

// off is how far from when it was taken the newest packet of a track is, by the newest sender report; false: that came before the last hundred
// packets. The lock is held.
func (m *member) off(r *received) (time.Duration, bool) {
	reports := m.times[uint32(r.remote.SSRC())]
	if len(reports) == 0 || len(r.packets) < 100 {
		return 0, false
	}
	report, p := reports[len(reports)-1], r.packets[len(r.packets)-1]
	taken := func(p rtp.Packet) time.Time {
		return time.UnixMicro(int64(binary.BigEndian.Uint64(p.Payload[len(p.Payload)-8:]))) //nolint:gosec // until 294000
	}
	at := fromNTP(report.NTPTime)
	if at.Before(taken(r.packets[len(r.packets)-100])) {
		return 0, false
	}
	return at.Add(rtpDuration(p.Timestamp-report.RTPTime, r.remote.Codec().ClockRate)).Sub(taken(p)), true
}

// A browser of before asks for a key frame by FIR.
func TestFullIntraRequestAsksForAKeyFrame(t *testing.T) {
	room, _ := newTestRoom(t, func(c *Config) { c.KeyframeInterval = 10 * time.Millisecond })
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
	asked := 0
	local := newLocal(t, webrtc.MimeTypeVP8)
	pc, err := a.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	a.pub = pc
	transceiver, err := pc.AddTransceiverFromTrack(local, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			packets, _, err := transceiver.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				if _, ok := p.(*rtcp.PictureLossIndication); ok {
					a.note(func() { asked++ })
				}
			}
		}
	}()
	ids, err := a.offer(map[*webrtc.RTPTransceiver]Kind{transceiver: Video})
	if err != nil {
		t.Fatal(err)
	}
	id := ids[Video]
	play(t, map[*source]bool{{track: local}: false})
	b.until("video", func() bool { return b.flowing(30) == 1 })
	a.mu.Lock()
	before := asked
	a.mu.Unlock()
	b.mu.Lock()
	ssrc := uint32(b.received[id].remote.SSRC())
	b.mu.Unlock()
	if err := b.sub.WriteRTCP([]rtcp.Packet{&rtcp.FullIntraRequest{MediaSSRC: ssrc, FIR: []rtcp.FIREntry{{SSRC: ssrc}}}}); err != nil {
		t.Fatal(err)
	}
	a.until("the request to the publisher", func() bool { return asked > before })
}
