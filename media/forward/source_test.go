package forward

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

func (m *member) publish(kinds map[Kind]*webrtc.TrackLocalStaticRTP) map[Kind]uuid.UUID {
	m.t.Helper()
	if m.pub == nil {
		pc, err := m.api.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			m.t.Fatal(err)
		}
		m.pub = pc
	}
	of := map[*webrtc.RTPTransceiver]Kind{}
	for _, kind := range []Kind{Audio, Video, Screen} {
		if track := kinds[kind]; track != nil {
			transceiver, err := m.pub.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
			if err != nil {
				m.t.Fatal(err)
			}
			of[transceiver] = kind
			go drain(transceiver.Sender())
		}
	}
	tracks, err := m.offer(of)
	if err != nil {
		m.t.Fatal(err)
	}
	return tracks
}

func drain(sender *webrtc.RTPSender) {
	buffer := make([]byte, 1500)
	for {
		if _, _, err := sender.Read(buffer); err != nil {
			return
		}
	}
}

func (m *member) offer(of map[*webrtc.RTPTransceiver]Kind) (map[Kind]uuid.UUID, error) {
	offer, err := m.pub.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	gathered := webrtc.GatheringCompletePromise(m.pub)
	if err := m.pub.SetLocalDescription(offer); err != nil {
		return nil, err
	}
	<-gathered
	var intents []Intent
	for transceiver, kind := range of {
		intents = append(intents, Intent{Mid: transceiver.Mid(), Kind: kind})
	}
	answer, ids, err := m.peer.Publish(context.Background(), m.pub.LocalDescription().SDP, intents)
	if err != nil {
		return nil, err
	}
	if err := m.pub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	tracks := map[Kind]uuid.UUID{}
	for transceiver, kind := range of {
		if id, ok := ids[transceiver.Mid()]; ok {
			tracks[kind] = id
		}
	}
	return tracks, nil
}

func newLocal(t testing.TB, mime string) *webrtc.TrackLocalStaticRTP {
	t.Helper()
	capability := webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000}
	if mime == webrtc.MimeTypeOpus {
		capability.ClockRate, capability.Channels = 48000, 2
	}
	track, err := webrtc.NewTrackLocalStaticRTP(capability, uuid.NewString(), "stream")
	if err != nil {
		t.Fatal(err)
	}
	return track
}

type source struct {
	track *webrtc.TrackLocalStaticRTP
	seq   uint16
	ts    uint32
	frame uint16
}

func (s *source) next(audio bool) {
	payload, step := make([]byte, 80), uint32(960)
	if !audio {
		payload, step = vp8(s.frame, s.frame%10 == 0, 600), 3000
	}
	s.frame++
	_ = s.track.WriteRTP(&rtp.Packet{
		Header:  rtp.Header{Version: 2, SequenceNumber: s.seq, Timestamp: s.ts, Marker: true},
		Payload: payload,
	})
	s.seq++
	s.ts += step
}

func vp8(picture uint16, key bool, size int) []byte {
	payload := make([]byte, size)
	payload[0] = 0x90
	payload[1] = 0x80 | 0x40
	put15(payload[2:], picture&0x7fff)
	payload[4] = byte(picture)
	if key {
		copy(payload[5:], []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01})
	} else {
		payload[5] = 0x01
	}
	return payload
}

func play(t testing.TB, sources map[*source]bool) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				for s, audio := range sources {
					s.next(audio)
				}
			}
		}
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() { close(done) })
		<-ended
	}
	t.Cleanup(stop)
	return stop
}
