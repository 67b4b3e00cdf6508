package forward

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/transport/v5/vnet"
	"github.com/pion/webrtc/v4"
)

// cutOff is a publisher and a subscriber of whom one can lose its path, while signalling goes on.
type cutOff struct {
	publisher, subscriber *member
	transceiver           *webrtc.RTPTransceiver
	video                 uuid.UUID
	cut                   atomic.Bool
}

// newCutOff connects both, and waits for media. The server gives up a path after a second: pion's own would take half a minute.
func newCutOff(t *testing.T, side Side) *cutOff {
	t.Helper()
	c, n := &cutOff{}, newLossy(t, 5*time.Millisecond)
	address := map[Side]string{PublishSide: "10.0.0.2", SubscribeSide: "10.0.0.3"}
	n.router.AddChunkFilter(func(chunk vnet.Chunk) bool {
		from, to := chunk.SourceAddr().String(), chunk.DestinationAddr().String()
		return !c.cut.Load() || !strings.HasPrefix(from, address[side]+":") && !strings.HasPrefix(to, address[side]+":")
	})
	server, err := NewWithNet(Config{}, n.net(t, n.server))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	server.engines[side].settings.SetICETimeouts(500*time.Millisecond, 500*time.Millisecond, 100*time.Millisecond)
	room := server.NewRoom(&roomEvents{})
	a := join(t, room, clientOptions{net: n.net(t, address[PublishSide])})
	b := join(t, room, clientOptions{net: n.net(t, address[SubscribeSide])})
	c.publisher, c.subscriber = a, b
	local := newLocal(t, webrtc.MimeTypeVP8)
	c.video = a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Video: local})[Video]
	c.transceiver = a.pub.GetTransceivers()[0]
	play(t, map[*source]bool{{track: local}: false})
	b.until("media", func() bool { return b.flowing(20) == 1 && b.states[SubscribeSide] == "connected" })
	return c
}

// received is how many packets have come to the subscriber.
func (c *cutOff) received() int {
	c.subscriber.mu.Lock()
	defer c.subscriber.mu.Unlock()
	return len(c.subscriber.received[c.video].packets)
}

// A subscriber whose path was gone for so long that its connection failed is offered an ICE restart, and gets media on the same connection again
// when the path is back.
func TestSubscriberIsConnectedAgainAfterItsPathFailed(t *testing.T) {
	c := newCutOff(t, SubscribeSide)
	b := c.subscriber
	b.mu.Lock()
	offers, connection := b.offers, b.sub
	b.mu.Unlock()
	c.cut.Store(true)
	b.until("the failure", func() bool { return b.states[SubscribeSide] == "failed" })
	b.until("another offer", func() bool { return b.offers > offers })
	before := c.received()
	c.cut.Store(false)
	b.until("media again", func() bool {
		return b.states[SubscribeSide] == "connected" && len(b.received[c.video].packets) > before+20
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sub != connection {
		t.Error("the subscriber had to make its connection anew")
	}
}

// A publisher whose connection failed restarts ICE by its own offer; its track stays the one that it was.
func TestPublisherConnectsAgainAfterItsPathFailed(t *testing.T) {
	c := newCutOff(t, PublishSide)
	a, b := c.publisher, c.subscriber
	c.cut.Store(true)
	a.until("the failure", func() bool { return a.states[PublishSide] == "failed" })
	c.cut.Store(false)
	offer, err := a.pub.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(a.pub)
	if err := a.pub.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	before := c.received()
	intents := []Intent{{Mid: c.transceiver.Mid(), Kind: Video}}
	answer, tracks, err := a.peer.Publish(t.Context(), a.pub.LocalDescription().SDP, intents)
	if err != nil {
		t.Fatal(err)
	}
	if tracks[c.transceiver.Mid()] != c.video {
		t.Error("the track is another one after the restart")
	}
	if err := a.pub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatal(err)
	}
	a.until("the connection again", func() bool { return a.states[PublishSide] == "connected" })
	b.until("media again", func() bool { return len(b.received[c.video].packets) > before+20 })
}
