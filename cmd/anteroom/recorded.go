package main

import (
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/media/record"
)

// recordingsFolder is where recordings of a data folder are.
func recordingsFolder(e config.Embedded) string { return filepath.Join(e.Data, "recordings") }

// recordedFiles are what the API hands out; nil where no folder is configured. A process without meetings reads the folder that it shares with
// those that have some.
func (s *service) recordedFiles() (api.Recordings, error) {
	if s.files != nil {
		return recorded{s.files}, nil
	}
	if s.cfg.Recording.Dir == "" {
		return nil, nil
	}
	files, err := record.New(s.cfg.Recording, s.log.With("room", "record"))
	if err != nil {
		return nil, err
	}
	return recorded{files}, nil
}

// recorded are the recorder's files, as the API asks for them.
type recorded struct{ files *record.Recorder }

func (r recorded) List(org string, call uuid.UUID) ([]api.Recording, error) {
	manifests, err := r.files.List(org, call)
	if err != nil {
		return nil, err
	}
	out := make([]api.Recording, len(manifests))
	for i := range manifests {
		out[i] = recordingOf(&manifests[i])
	}
	return out, nil
}

func (r recorded) Open(org string, call, recording uuid.UUID, file string) (io.ReadSeekCloser, error) {
	f, err := r.files.Open(org, call, recording, file)
	if errors.Is(err, record.ErrNotFound) {
		return nil, api.ErrNoRecording
	}
	return f, err
}

func recordingOf(m *record.Manifest) api.Recording {
	out := api.Recording{
		ID: m.RecordingID, Region: m.Region, State: m.State, StartedAt: m.StartedAt, Duration: milliseconds(m.DurationMs),
		DroppedPackets: m.DroppedPackets, Truncated: m.Truncated, Tracks: make([]api.RecordedTrack, len(m.Tracks)),
		LeftOut: make([]api.UnrecordedTrack, len(m.LeftOut)),
	}
	for i := range m.Tracks {
		t := &m.Tracks[i]
		out.Tracks[i] = api.RecordedTrack{
			UnrecordedTrack: api.UnrecordedTrack{Track: t.TrackID, Participant: t.ParticipantID, Kind: string(t.Kind), Codec: t.Codec},
			Channels:        t.Channels, Width: t.Width, Height: t.Height,
			StartedAt: t.StartedAt, Start: milliseconds(t.StartMs), Duration: milliseconds(t.DurationMs),
			LostPackets: t.LostPackets, SkippedFrames: t.SkippedFrames,
			File: t.File, ContentType: t.ContentType, SHA256: t.SHA256, Timing: t.Timing, TimingSHA256: t.TimingSHA256, Bytes: t.Bytes,
		}
	}
	for i, t := range m.LeftOut {
		out.LeftOut[i] = api.UnrecordedTrack{Track: t.TrackID, Participant: t.ParticipantID, Kind: string(t.Kind), Codec: t.Codec}
	}
	return out
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
