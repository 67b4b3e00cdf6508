package client

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/media/protocol"
)

// Received counts what was delivered of one track. The counters go on across renegotiations.
type Received struct {
	TrackID       string
	ParticipantID string
	Kind          string
	packets       atomic.Uint64
	bytes         atomic.Uint64
}

// Packets is how many media packets have arrived.
func (r *Received) Packets() uint64 { return r.packets.Load() }

// Bytes of their payload.
func (r *Received) Bytes() uint64 { return r.bytes.Load() }

// Received are the tracks that the server has ever offered, by track id.
func (c *Client) Received() map[string]*Received {
	p := c.media
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[string]*Received, len(p.received))
	for id, r := range p.received {
		all[id] = r
	}
	return all
}

// Delivered is how many media packets have arrived, of all tracks together.
func (c *Client) Delivered() (packets, bytes uint64) {
	for _, r := range c.Received() {
		packets += r.Packets()
		bytes += r.Bytes()
	}
	return packets, bytes
}

// answerOffers answers one offer after the other, and skips those that a newer one has made void.
func (p *peers) answerOffers() {
	defer p.wg.Done()
	for {
		select {
		case <-p.stop:
			return
		case offer := <-p.offers:
			// An offer that can't be answered leaves what was agreed before; the server tells what it thinks of it in its reply.
			_ = p.answer(offer)
		}
	}
}

func (p *peers) answer(offer protocol.SubscribeOffer) error {
	p.renew(offer.SDP)
	down, err := p.peer(subscribePeer)
	if err != nil {
		return err
	}
	p.note(offer.Tracks)
	if err := down.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer.SDP}); err != nil {
		return fmt.Errorf("take offer: %w", err)
	}
	down.settle()
	answer, err := down.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("make answer: %w", err)
	}
	if err := down.pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("use answer: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), candidateTimeout)
	defer cancel()
	err = p.client.Request(ctx, protocol.TypeSubscribeAnswer, protocol.SubscribeAnswer{Version: offer.Version, SDP: answer.SDP}, nil)
	p.openUp(down)
	return err
}

// renew gives up the connection when the server offers another: with another key.
func (p *peers) renew(sdp string) {
	_, fingerprint, _ := strings.Cut(sdp, "a=fingerprint:")
	fingerprint, _, _ = strings.Cut(fingerprint, "\n")
	p.mu.Lock()
	old := p.down
	if p.fingerprint == "" || p.fingerprint == fingerprint {
		old = nil
	}
	if old != nil {
		p.down = nil
	}
	p.fingerprint = fingerprint
	p.mu.Unlock()
	if old != nil {
		_ = old.pc.GracefulClose()
	}
}

// note takes which track each media section has now.
func (p *peers) note(tracks []protocol.SubscribedTrack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byMid = make(map[string]*Received, len(tracks))
	for _, t := range tracks {
		r, ok := p.received[t.TrackID]
		if !ok {
			r = &Received{TrackID: t.TrackID, ParticipantID: t.ParticipantID, Kind: t.Kind}
			p.received[t.TrackID] = r
		}
		p.byMid[t.Mid] = r
	}
}

func (p *peers) at(mid string) *Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byMid[mid]
}

// lookEvery is how many packets are counted before the section's track is looked up again.
const lookEvery = 16

// onTrack counts what arrives on one media section.
func (p *peers) onTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	p.mu.Lock()
	closed, down := p.closed, p.down
	p.mu.Unlock()
	if closed || down == nil {
		return
	}
	mid := ""
	for _, t := range down.pc.GetTransceivers() {
		if t.Receiver() == receiver {
			mid = t.Mid()
		}
	}
	p.background(func() {
		buf := make([]byte, 1<<16)
		var now *Received
		for i := 0; ; i++ {
			n, _, err := remote.Read(buf)
			if err != nil {
				return
			}
			if i%lookEvery == 0 || now == nil {
				now = p.at(mid)
			}
			p.arrived(now, buf[:n])
		}
	})
	p.background(func() { drain(receiver) })
}

// arrived counts one packet.
func (p *peers) arrived(r *Received, raw []byte) {
	if r == nil {
		return
	}
	var header rtp.Header
	size, err := header.Unmarshal(raw)
	if err != nil {
		return
	}
	r.packets.Add(1)
	r.bytes.Add(uint64(len(raw) - size))
	if p.client.opts.OnPacket != nil {
		var packet rtp.Packet
		if packet.Unmarshal(raw) == nil {
			p.client.opts.OnPacket(r.TrackID, &packet)
		}
	}
}

// drain reads control packets, without which interceptors see none.
func drain(receiver *webrtc.RTPReceiver) {
	buf := make([]byte, 1500)
	for {
		if _, _, err := receiver.Read(buf); err != nil {
			return
		}
	}
}
