package meeting

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/forward"
)

// Deps are what a meeting works with.
type Deps struct {
	Decider  Decider
	Recorder Recorder
	// Sealer makes chat unreadable on its way; nil: messages are refused as unavailable.
	Sealer Sealer
	// Forward carries the media; nil: the meeting has none (its requests about media are refused).
	Forward *forward.Server
	Log     *slog.Logger
	// Recordings and Transcriptions may be nil: starting one is then refused.
	Recordings     Recordings
	Transcriptions Transcriptions
	// Notifier may be nil.
	Notifier Notifier
	// Gone may be nil: then a process that takes the session up doesn't know who had left.
	Gone Gone
	// Holds tells whether no other process can have taken up the session; nil: none can. While one can, nobody's stay ends for want of a connection:
	// it may go on there.
	Holds func() bool
}

// Sealer seals text to regions' keys.
type Sealer interface {
	// Seal seals text to the region's key of now; about is what the text belongs to, and opening takes the same. It fails when the region has no key
	// that holds now.
	Seal(region string, about, text []byte) (keyID string, sealed []byte, err error)
}

// Gone remembers, across the ends of processes, what no ticket may bring back.
type Gone interface {
	// Revoke returns once it is written down that a participant, or a call, is gone for good.
	Revoke(ctx context.Context, id uuid.UUID) error
}

// Recordings makes recordings.
type Recordings interface {
	Start(ctx context.Context, call uuid.UUID, org, region string) (Recording, error)
}

// Recording is one that runs.
type Recording interface {
	// Tap takes one participant's media. It is asked for only after the participant's notice was sent.
	Tap(participant uuid.UUID) forward.Tap
	// Failed tells, once at most, that media can't be written any more; the meeting then stops the recording.
	Failed() <-chan error
	// Stop ends the recording; all taps have been stopped before.
	Stop(ctx context.Context) (RecordingFacts, error)
}

// RecordingFacts are what is known of a recording that has ended.
type RecordingFacts struct {
	ID        uuid.UUID
	StartedAt time.Time
	Duration  time.Duration
	// ContentType is "audio", "audioVideo" or so, ChannelType "mixed" or "unmixed", Format the files' ("ogg", "webm").
	ContentType   string
	ChannelType   string
	Format        string
	Chunks        uint32
	AudioChannels uint32
	// Truncated is why not all is in it: "write_failed", "max_bytes"; empty: all is.
	Truncated string
}

// Transcriptions streams participants' audio to where it is transcribed.
type Transcriptions interface {
	Start(ctx context.Context, call uuid.UUID, org, region string) (Transcription, error)
}

// Transcription is one that runs.
type Transcription interface {
	Tap(participant uuid.UUID) forward.Tap
	Stop(ctx context.Context) error
}

// Notifier is told of what webhooks report. It must not block.
type Notifier interface {
	// Meeting tells one of the Notify… events; participant is uuid.Nil for those of the meeting as a whole.
	Meeting(event string, facts Facts, call, participant uuid.UUID)
}

// Events for webhooks. Those of the organisation that hosts the meeting:
const (
	NotifyMeetingStarted    = "meeting.started"
	NotifyMeetingEnded      = "meeting.ended"
	NotifyParticipantJoined = "participant.joined"
	NotifyParticipantLeft   = "participant.left"
	NotifyLobbyWaiting      = "lobby.waiting"
)

// Calling events go to the resource whose guest started the call; a meeting of an organisation raises none (M12).
const (
	NotifyCallStarted           = "call.started"
	NotifyCallEnded             = "call.ended"
	NotifyCallParticipantJoined = "call.participant_joined"
	NotifyCallParticipantLeft   = "call.participant_left"
)

// NotifyBotJoined is the bot activity event: somebody joined whom a bot may greet. A guest's join doesn't raise it (M12).
const NotifyBotJoined = "bot.participant_joined"

// TicketClient is a Client that wants to know when Member.Ticket has changed. TicketChanged must not block.
type TicketClient interface {
	TicketChanged()
}
