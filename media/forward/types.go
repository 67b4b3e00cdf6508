package forward

import (
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"

	"github.com/anteroom/anteroom/event/eventpb"
)

// Kind of a track.
type Kind string

// The kinds. A screen is video that is measured, limited and laid out on its own.
const (
	Audio  Kind = "audio"
	Video  Kind = "video"
	Screen Kind = "screen"
)

// Side is one of a member's two peer connections.
type Side string

// The sides.
const (
	PublishSide   Side = "publish"
	SubscribeSide Side = "subscribe"
)

// Track is something published. IDs are random and the server's.
type Track struct {
	ID    uuid.UUID
	Owner uuid.UUID
	Kind  Kind
	Muted bool
	// MimeType and ClockRate of the codec that was negotiated ("audio/opus", 48000).
	MimeType  string
	ClockRate uint32
	Channels  uint16
}

// Intent says what the client publishes at a media section of its offer.
type Intent struct {
	Mid   string
	Kind  Kind
	Muted bool
}

// Candidate is one ICE candidate, as RTCIceCandidateInit.
type Candidate struct {
	Candidate     string
	SDPMid        *string
	SDPMLineIndex *uint16
}

// Subscribed says whose track a media section of a subscribe offer has.
type Subscribed struct {
	Mid     string
	TrackID uuid.UUID
	Owner   uuid.UUID
	Kind    Kind
}

// Events is how a Peer tells what happens. Calls come from the peer's own goroutines, one at a time per peer, with no lock of the package
// held, and must not block.
type Events interface {
	// SubscribeOffer is to be answered with Peer.Answer of the same version.
	SubscribeOffer(version uint64, sdp string, tracks []Subscribed)
	Candidate(side Side, c Candidate)
	// TrackStarted: media of a published track flows. TrackEnded: it won't any more; reason is "unpublished", "stopped" (AllowSend) or "closed".
	TrackStarted(t Track)
	TrackEnded(t Track, reason string)
	// ConnectionChanged is "connected", "disconnected" or "failed", per side.
	ConnectionChanged(side Side, state string)
	// Report has what all of the peer's streams did in the last interval (10 s), or what one that ends did since then, in an interval of its own
	// length; StreamEnded, after that, the summary of one: its counters are the sums of the samples. The events' directions are as the client sees
	// them: published streams are outbound.
	Report(interval time.Duration, streams []*eventpb.StreamSample)
	StreamEnded(s *eventpb.StreamEnded)
	// Diagnostic is something that the server noticed, by the reference SDK's names ("networkReceiveQuality").
	Diagnostic(name, value string, lane eventpb.Lane)
}

// RoomEvents is how a Room tells what happens.
type RoomEvents interface {
	// ActiveSpeakers are owners, the most active first; it comes when the order changed, at most twice a second.
	ActiveSpeakers(owners []uuid.UUID)
}

// Tap gets copies of a peer's published media, for recording and transcription.
type Tap interface {
	// Track is asked for each track of the peer, those of now and later ones; nil: not this one.
	Track(t Track) PacketWriter
}

// PacketWriter takes the packets of one track, in order of sequence numbers as far as a short reordering window repairs it. It must not
// block, and may not keep the packet's buffers.
type PacketWriter interface {
	WriteRTP(p *rtp.Packet, arrived time.Time)
	// SenderReport maps the track's RTP time to the publisher's clock.
	SenderReport(ntp time.Time, rtpTime uint32)
	Close()
}

// Want is what a subscriber has room for; a MaxHeight of 0 is none.
type Want struct {
	TrackID   uuid.UUID
	MaxHeight int
}
