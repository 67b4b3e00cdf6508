package record

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/forward"
)

// Timing is one line of a track's timing file (JSON lines). Type says which fields are set; AtMs is a time in the media file.
type Timing struct {
	// Type is "track" (the first line), "cluster", "sender_report", "gap", "pause", "reanchored", "size" or "end".
	Type string `json:"type"`
	AtMs int64  `json:"at_ms"`

	// track: what is recorded, and how its media file is laid out.
	Track *TimingTrack `json:"track,omitempty"`

	// cluster: media up to EndMs is in the file's first Bytes bytes; Key: playing can begin at it.
	EndMs    int64 `json:"end_ms,omitempty"`
	Position int64 `json:"position,omitempty"`
	Bytes    int64 `json:"bytes,omitempty"`
	Key      bool  `json:"key,omitempty"`

	// sender_report: RTP time RTP was NTP on the publisher's clock, and came at Wall on the server's. reanchored: RTP time jumped, and from RTP
	// on is taken for AtMs.
	RTP  uint32     `json:"rtp,omitempty"`
	NTP  *time.Time `json:"ntp,omitempty"`
	Wall *time.Time `json:"wall,omitempty"`

	// gap: Packets were lost. pause: nothing came for ForMs (muted, or not sent).
	Packets int   `json:"packets,omitempty"`
	ForMs   int64 `json:"for_ms,omitempty"`

	// size: a picture is larger than all before.
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`

	// end: of the track, with what is in no other line.
	SkippedFrames int `json:"skipped_frames,omitempty"`
}

// TimingTrack opens a timing file.
type TimingTrack struct {
	RecordingID   uuid.UUID    `json:"recording_id"`
	TrackID       uuid.UUID    `json:"track_id"`
	ParticipantID uuid.UUID    `json:"participant_id"`
	Kind          forward.Kind `json:"kind"`
	Codec         string       `json:"codec"`
	ClockRate     uint32       `json:"clock_rate"`
	StartedAt     time.Time    `json:"started_at"`
	File          string       `json:"file"`
	// FirstRTP is the RTP time of 0 in the file.
	FirstRTP uint32 `json:"first_rtp"`
	Format   format `json:"format"`
}

func (t Timing) append(b []byte) []byte {
	line, err := json.Marshal(t)
	if err != nil {
		return b // a Timing always can be written
	}
	return append(append(b, line...), '\n')
}

// reanchorAfter: RTP time that differs from the clock by more was set anew by the sender, or stood still.
const reanchorAfter = 2 * time.Second

// timeline maps RTP time to time in the file.
type timeline struct {
	rate    uint32
	started bool
	first   time.Time
	rtp     uint32
	at      time.Duration
}

// place is where a packet belongs; anew: it doesn't follow from the packets before.
func (l *timeline) place(rtp uint32, arrived time.Time) (at time.Duration, anew bool) {
	if !l.started {
		l.started, l.first, l.rtp = true, arrived, rtp
		return 0, false
	}
	at = l.at + time.Duration(int64(int32(rtp-l.rtp))*int64(time.Second)/int64(l.rate))
	clock := arrived.Sub(l.first)
	if at < clock-reanchorAfter || at > clock+reanchorAfter {
		at, anew = max(clock, l.at), true
	}
	l.rtp, l.at = rtp, at
	return at, anew
}
