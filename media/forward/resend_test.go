package forward

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// A subscriber that asks for the same packet for ever gets a few copies of it and then no more, and the media goes on.
func TestAskingForEverGivesAFewCopies(t *testing.T) {
	server := newServer(t, nil)
	room := server.NewRoom(&roomEvents{})
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{interceptors: askingItself})
	video := newLocal(t, webrtc.MimeTypeVP8)
	id := a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Video: video})[Video]
	stop := play(t, map[*source]bool{{track: video}: false})
	defer stop()
	b.until("media", func() bool { return b.flowing(20) == 1 })

	b.mu.Lock()
	remote := b.received[id].remote
	wanted := b.received[id].packets[len(b.received[id].packets)-1].SequenceNumber
	b.mu.Unlock()
	for range 30 {
		nack := &rtcp.TransportLayerNack{MediaSSRC: uint32(remote.SSRC()), Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{wanted})}
		if err := b.sub.WriteRTCP([]rtcp.Packet{nack}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * resendInterval)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	copies, last := -1, wanted // the first one is the packet itself
	for _, p := range b.received[id].packets {
		if p.SequenceNumber == wanted {
			copies++
		}
		last = max(last, p.SequenceNumber)
	}
	if copies < 1 || copies > maxCopies {
		t.Errorf("asked 30 times, %d copies came, want 1 to %d", copies, maxCopies)
	}
	if last < wanted+20 {
		t.Errorf("the media stopped at %d, the packet asked for was %d", last, wanted)
	}
}
