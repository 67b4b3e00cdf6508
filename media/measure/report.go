package measure

import (
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
)

// Stream says what is measured, as the client sees it: what it publishes is outbound.
type Stream struct {
	ID, Participant uuid.UUID
	Direction       eventpb.Direction
	Media           eventpb.Media
	SSRC            uint32
	// Codec is the short name ("opus", "VP8").
	Codec string
	// Started is when its first packet came.
	Started time.Time
	// Local and Remote candidate as the client sees them; Transport is "udp", "tcp", "tls" or "".
	Local, Remote eventpb.CandidateType
	Transport     string
}

// Client is what a client measured itself of one track over Interval; nil is not known.
type Client struct {
	Interval         time.Duration
	JitterBufferMs   *float64
	HealedRatio      *float64
	FrameRate        *float64
	FrameHeight      *float64
	Frames           *uint64
	FramesDropped    *uint64
	Freezes          *uint64
	FreezeMs         *float64
	PacketsDiscarded *uint64
	AvailableBitrate *float64
}

// Life turns the intervals of one stream into samples, and sums them up for the summary at its end. One goroutine uses it, but AddClient is
// for any.
type Life struct{}

// NewLife of a stream.
func NewLife(s Stream) *Life { return &Life{} }

// AddClient adds what the client measured; it is part of the next sample.
func (l *Life) AddClient(c Client) {}

// Sample is the event's form of one interval. Several layers of one stream: Combine them first.
func (l *Life) Sample(s Sample) *eventpb.StreamSample { return nil }

// Ended is the summary; call Sample for the last interval before.
func (l *Life) Ended(at time.Time) *eventpb.StreamEnded { return nil }

// Combine adds up the layers of one simulcast stream: counters are summed, averages weighted by packets; frames are those of the layer with most.
func Combine(layers ...Sample) Sample { return Sample{} }
