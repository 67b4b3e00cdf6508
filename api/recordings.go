package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/store"
)

// Recordings are the files that recording has left.
type Recordings interface {
	// List has the recordings of a call, the oldest first.
	List(org string, call uuid.UUID) ([]Recording, error)
	// Open opens a file that the list names; ErrNoRecording for any other. The caller closes it.
	Open(org string, call, recording uuid.UUID, file string) (io.ReadSeekCloser, error)
}

// ErrNoRecording: there is no such recording, or it has no such file.
var ErrNoRecording = errors.New("no such recording or file")

// Recording is one recording of a call. It has ids, no names.
type Recording struct {
	ID     uuid.UUID
	Region string
	// State is "recording", "finished" or "recovered".
	State     string
	StartedAt time.Time
	Duration  time.Duration
	// DroppedPackets never reached the disk. Truncated says why nothing more was written from some time on; "" if all was.
	DroppedPackets uint64
	Truncated      string
	Tracks         []RecordedTrack
	LeftOut        []UnrecordedTrack
}

// RecordedTrack is a track that has files. Channels, and Width and Height, are 0 where there are none.
type RecordedTrack struct {
	UnrecordedTrack
	Channels, Width, Height int
	// StartedAt is when the first frame arrived; Start is the same after the recording's start.
	StartedAt                  time.Time
	Start, Duration            time.Duration
	LostPackets, SkippedFrames int
	// File has the media, Timing the track's times; the sums are hexadecimal.
	File, ContentType, SHA256, Timing, TimingSHA256 string
	Bytes                                           int64
}

// UnrecordedTrack is a track of a codec that no file is written for.
type UnrecordedTrack struct {
	Track, Participant uuid.UUID
	Kind, Codec        string
}

// timingType is the media type of timing files: a JSON object a line.
const timingType = "application/x-ndjson"

// recordingsOf lists the recordings of a call for whoever may have them.
func (h *handlers) recordingsOf(ctx context.Context, callID string) (uuid.UUID, []Recording, error) {
	if h.recordings == nil {
		return uuid.Nil, nil, &Error{Code: CodeRecordingsUnavailable}
	}
	who := callerOf(ctx)
	all := who.has(identity.Admin) || who.has(identity.Auditor)
	if !all {
		if err := h.organized(ctx, who, callID); err != nil {
			return uuid.Nil, nil, err
		}
	}
	var found []Recording
	call, err := uuid.Parse(callID)
	if err == nil { // Calls of other systems have other ids, and no recordings here.
		if found, err = h.recordings.List(who.about, call); err != nil {
			return uuid.Nil, nil, fmt.Errorf("list recordings: %w", err)
		}
	}
	if all {
		if err := h.withholdTracks(ctx, who, callID, found); err != nil {
			return uuid.Nil, nil, err
		}
	}
	return call, found, nil
}

// factsTake is after how long a recording whose call isn't known is one of whose call nothing is known any more. It is longer than facts are ever late.
const factsTake = day

// withholdTracks takes out of the recordings of a call that runs the tracks of those of whom it isn't known that they are org users, unless the caller
// organised its meeting. A recording is the organiser's own, from the moment it is a file; an admin or auditor who fetches it is told by it who is in the
// call, and of guests nobody is told that before the end (rule D3). A call that is not known must not look like one that nobody recorded.
func (h *handlers) withholdTracks(ctx context.Context, who caller, callID string, found []Recording) error {
	j, err := h.call(ctx, callID, nil)
	var refused *Error
	switch unknown := errors.As(err, &refused) && refused.Code == CodeCallNotFound; {
	case unknown && len(found) > 0:
		for i := range found {
			if time.Since(found[i].StartedAt) < factsTake {
				found[i] = ofUsers(found[i], nil)
			}
		}
		return nil
	case err != nil:
		return err
	case !j.Withheld || len(found) == 0:
		return nil
	}
	err = h.organized(ctx, who, callID)
	if err == nil || !errors.As(err, &refused) || refused.Code != CodeNotOrganizer {
		return err
	}
	for i := range found {
		found[i] = ofUsers(found[i], j.Labels)
	}
	return nil
}

// ofUsers is a recording with the tracks of those who may be shown.
func ofUsers(r Recording, shown map[uuid.UUID]string) Recording {
	hidden := func(id uuid.UUID) bool {
		_, ok := shown[id]
		return !ok
	}
	r.Tracks = slices.DeleteFunc(slices.Clone(r.Tracks), func(t RecordedTrack) bool { return hidden(t.Participant) })
	r.LeftOut = slices.DeleteFunc(slices.Clone(r.LeftOut), func(t UnrecordedTrack) bool { return hidden(t.Participant) })
	return r
}

// organized holds the caller to be the organiser of the call's meeting.
func (h *handlers) organized(ctx context.Context, who caller, callID string) error {
	j, err := h.call(ctx, callID, nil)
	if err != nil {
		return err
	}
	r, err := h.rows()
	if err != nil {
		return err
	}
	found, err := r.Meetings.Get(ctx, who.about, j.MeetingID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err //nolint:wrapcheck // the store says what it did
	}
	if err != nil || who.Subject == "" || found.Value.Organizer != who.Subject {
		return &Error{Code: CodeNotOrganizer}
	}
	return nil
}

// ListRecordings lists the recordings of a call.
func (h *handlers) ListRecordings(ctx context.Context, request openapi.ListRecordingsRequestObject) (openapi.ListRecordingsResponseObject, error) {
	call, found, err := h.recordingsOf(ctx, request.CallId)
	if err != nil {
		return nil, err
	}
	out := openapi.ListRecordings200JSONResponse{Recordings: make([]openapi.Recording, len(found))}
	for i := range found {
		out.Recordings[i] = presentRecording(call, &found[i])
	}
	return out, nil
}

func presentRecording(call uuid.UUID, r *Recording) openapi.Recording {
	out := openapi.Recording{
		RecordingId: r.ID, CallId: call, Region: r.Region, State: openapi.RecordingState(r.State), StartedAt: r.StartedAt.UTC(),
		DurationMs: r.Duration.Milliseconds(), DroppedPackets: int64(r.DroppedPackets), Truncated: textOrNil(r.Truncated), //nolint:gosec // a count
		Tracks: make([]openapi.RecordedTrack, len(r.Tracks)),
	}
	for i := range r.Tracks {
		t := &r.Tracks[i]
		out.Tracks[i] = openapi.RecordedTrack{
			TrackId: t.Track, ParticipantId: t.Participant, Kind: t.Kind, Codec: t.Codec, Channels: positive(t.Channels), Width: positive(t.Width),
			Height: positive(t.Height), StartedAt: t.StartedAt.UTC(), StartMs: t.Start.Milliseconds(), DurationMs: t.Duration.Milliseconds(),
			LostPackets: t.LostPackets, SkippedFrames: t.SkippedFrames, File: t.File, ContentType: t.ContentType, Bytes: t.Bytes, Sha256: t.SHA256,
			Timing: t.Timing, TimingSha256: t.TimingSHA256,
		}
	}
	out.LeftOut = make([]openapi.UnrecordedTrack, len(r.LeftOut))
	for i, t := range r.LeftOut {
		out.LeftOut[i] = openapi.UnrecordedTrack{TrackId: t.Track, ParticipantId: t.Participant, Kind: t.Kind, Codec: t.Codec}
	}
	return out
}

func positive(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}

// GetRecordingFile hands out a file of a recording. Only names that the list has lead anywhere.
func (h *handlers) GetRecordingFile(ctx context.Context, request openapi.GetRecordingFileRequestObject) (openapi.GetRecordingFileResponseObject, error) {
	call, found, err := h.recordingsOf(ctx, request.CallId)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(found, func(r Recording) bool { return r.ID == request.RecordingId })
	if i < 0 {
		return nil, &Error{Code: CodeRecordingNotFound}
	}
	out := download{ctx: ctx, name: path.Base(request.File)}
	for _, t := range found[i].Tracks {
		switch request.File {
		case t.File:
			out.contentType, out.sum = t.ContentType, t.SHA256
		case t.Timing:
			out.contentType, out.sum = timingType, t.TimingSHA256
		}
	}
	if out.contentType == "" {
		return nil, &Error{Code: CodeRecordingNotFound}
	}
	out.content, err = h.recordings.Open(callerOf(ctx).about, call, found[i].ID, request.File)
	if errors.Is(err, ErrNoRecording) {
		return nil, &Error{Code: CodeRecordingNotFound}
	}
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	return out, nil
}
