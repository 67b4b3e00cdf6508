package forward

import (
	"encoding/binary"
	"maps"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// numbered is a local track that writes on its retransmission stream too, and numbers all for the transport as a browser does.
type numbered struct {
	*webrtc.TrackLocalStaticRTP
	bound chan webrtc.TrackLocalContext
}

func (n *numbered) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	n.bound <- c
	return n.TrackLocalStaticRTP.Bind(c)
}

// numbering negotiates transport-wide numbers and does nothing about them.
func numbering(m *webrtc.MediaEngine, _ *interceptor.Registry) error {
	m.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC}, webrtc.RTPCodecTypeVideo)
	return m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: extTransportCC}, webrtc.RTPCodecTypeVideo)
}

// What a sender is not told of it takes for lost, and lowers its rate: retransmissions and probes have to be fed back like media.
func TestEveryNumberedPacketIsFedBack(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a := join(t, room, clientOptions{interceptors: numbering})
	pc, err := a.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	a.pub = pc
	track := &numbered{TrackLocalStaticRTP: newLocal(t, webrtc.MimeTypeVP8), bound: make(chan webrtc.TrackLocalContext, 1)}
	transceiver, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	told := map[uint16]bool{}
	go func() {
		for {
			packets, _, err := transceiver.Sender().ReadRTCP()
			if err != nil {
				return
			}
			a.note(func() {
				for _, p := range packets {
					if f, ok := p.(*rtcp.TransportLayerCC); ok {
						maps.Copy(told, received16(f))
					}
				}
			})
		}
	}()
	if _, err := a.offer(map[*webrtc.RTPTransceiver]Kind{transceiver: Video}); err != nil {
		t.Fatal(err)
	}
	a.until("the connection", func() bool { return a.states[PublishSide] == "connected" })
	context := <-track.bound
	var extension uint8
	for _, x := range context.HeaderExtensions() {
		if x.URI == extTransportCC {
			extension = uint8(x.ID) //nolint:gosec // 1 to 14
		}
	}
	// Payload types of pion's VP8 and its retransmissions.
	const vp8Payload, rtxPayload = 96, 97
	if context.SSRCRetransmission() == 0 {
		t.Fatal("no retransmission stream was negotiated")
	}
	var numbers uint16
	send := func(h rtp.Header, payload []byte) {
		numbers++
		h.Version = 2
		_ = h.SetExtension(extension, binary.BigEndian.AppendUint16(nil, numbers))
		if _, err := context.WriteStream().WriteRTP(&h, payload); err != nil {
			t.Fatal(err)
		}
	}
	var sequence uint16
	media := func() []byte {
		frame := vp8(sequence, sequence == 0, 200)
		h := rtp.Header{SSRC: uint32(context.SSRC()), PayloadType: vp8Payload, SequenceNumber: sequence, Timestamp: uint32(sequence) * 3000, Marker: true}
		send(h, frame)
		sequence++
		time.Sleep(2 * time.Millisecond)
		return frame
	}
	// pion throws away what it is given before both ends have keys.
	flows := func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(told) > 0
	}
	for deadline := time.Now().Add(patience); !flows() && time.Now().Before(deadline); {
		media()
	}
	begin := numbers
	var again uint16
	for n := range 100 {
		frame := media()
		if n%3 == 0 {
			h := rtp.Header{SSRC: uint32(context.SSRCRetransmission()), PayloadType: rtxPayload, SequenceNumber: again, Timestamp: 3000}
			send(h, append(binary.BigEndian.AppendUint16(nil, sequence-1), frame...))
			// A probe: nothing but padding, whose last byte is its length.
			h.SequenceNumber, h.Padding = again+1, true
			send(h, append(make([]byte, 223), 224))
			again += 2
		}
	}
	a.until("feedback on all of them", func() bool {
		for n := begin + 1; n <= numbers; n++ {
			if !told[n] {
				return false
			}
		}
		return true
	})
}

// received16 are the numbers that feedback says arrived.
func received16(f *rtcp.TransportLayerCC) map[uint16]bool {
	received := map[uint16]bool{}
	number, left := f.BaseSequenceNumber, int(f.PacketStatusCount)
	take := func(symbol uint16) {
		if left > 0 && symbol != rtcp.TypeTCCPacketNotReceived {
			received[number] = true
		}
		number++
		left--
	}
	for _, chunk := range f.PacketChunks {
		switch c := chunk.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				take(c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range c.SymbolList {
				take(symbol)
			}
		}
	}
	return received
}
