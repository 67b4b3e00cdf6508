package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/forward"
)

const manifestFile = "manifest.json"

// States of a recording.
const (
	// StateRecording: it runs, or its process was killed and nobody has called Recover.
	StateRecording = "recording"
	StateFinished  = "finished"
	// StateRecovered: its process was killed; what was written until then is all there.
	StateRecovered = "recovered"
)

// Manifest says what a recording consists of. It has ids, no names.
type Manifest struct {
	Version      int       `json:"version"`
	RecordingID  uuid.UUID `json:"recording_id"`
	CallID       uuid.UUID `json:"call_id"`
	Organization string    `json:"organization"`
	Region       string    `json:"region"`
	State        string    `json:"state"`
	StartedAt    time.Time `json:"started_at"`
	DurationMs   int64     `json:"duration_ms"`
	// DroppedPackets never reached the disk, which was too slow; Truncated says why nothing more was written from some time on ("max_bytes",
	// "write_failed").
	DroppedPackets uint64          `json:"dropped_packets"`
	Truncated      string          `json:"truncated,omitempty"`
	Tracks         []ManifestTrack `json:"tracks"`
	// LeftOut are tracks of codecs that no file is written for.
	LeftOut []LeftOut `json:"left_out,omitempty"`
}

// ManifestTrack is one track's file.
type ManifestTrack struct {
	TrackID       uuid.UUID    `json:"track_id"`
	ParticipantID uuid.UUID    `json:"participant_id"`
	Kind          forward.Kind `json:"kind"`
	// Codec as in the media type ("opus", "VP8").
	Codec    string `json:"codec"`
	Channels int    `json:"channels,omitempty"`
	// Width and Height of the largest picture.
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`
	// StartedAt is when the first frame arrived; StartMs is that after the recording's beginning.
	StartedAt  time.Time `json:"started_at"`
	StartMs    int64     `json:"start_ms"`
	DurationMs int64     `json:"duration_ms"`
	// LostPackets never came; SkippedFrames could not be shown without them.
	LostPackets   int    `json:"lost_packets"`
	SkippedFrames int    `json:"skipped_frames"`
	File          string `json:"file"`
	ContentType   string `json:"content_type"`
	Bytes         int64  `json:"bytes"`
	SHA256        string `json:"sha256"`
	// Timing is the file that maps the track's times to clocks, and its SHA-256.
	Timing       string `json:"timing"`
	TimingSHA256 string `json:"timing_sha256"`
}

// LeftOut is a track without a file.
type LeftOut struct {
	TrackID       uuid.UUID    `json:"track_id"`
	ParticipantID uuid.UUID    `json:"participant_id"`
	Kind          forward.Kind `json:"kind"`
	Codec         string       `json:"codec"`
}

func readManifest(dir *os.Root) (Manifest, error) {
	var m Manifest
	b, err := dir.ReadFile(manifestFile)
	if err != nil {
		return m, fmt.Errorf("read manifest: %w", err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("read manifest: %w", err)
	}
	return m, nil
}

// write replaces the manifest at once or not at all.
func (m Manifest) write(dir string) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	f, err := os.CreateTemp(dir, ".manifest-*")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already when all went well
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, manifestFile))
	}
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return syncDir(dir)
}

// syncDir makes names last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	defer func() { _ = d.Close() }() // only read
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// seal fills in sizes and sums of a track's files.
func (t *ManifestTrack) seal(dir string) error {
	var err error
	if t.Bytes, t.SHA256, err = sum(filepath.Join(dir, t.File)); err != nil {
		return err
	}
	_, t.TimingSHA256, err = sum(filepath.Join(dir, t.Timing))
	return err
}

func sum(path string) (int64, string, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return 0, "", fmt.Errorf("sum file: %s is no regular file", filepath.Base(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, "", fmt.Errorf("sum file: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return 0, "", fmt.Errorf("sum file: %w", err)
	}
	return n, hex.EncodeToString(h.Sum(nil)), nil
}
