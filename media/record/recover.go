package record

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Recover completes the recordings whose process was killed: it cuts off what was half written, adds index and duration to the media files,
// and writes the manifest. Call it at the start; recordings of this Recorder that run are left alone. One that can't be completed is told of
// and doesn't keep others from being.
func (r *Recorder) Recover(ctx context.Context) (recovered []Manifest, err error) {
	if r.cfg.Dir == "" {
		return nil, nil
	}
	dirs, err := filepath.Glob(filepath.Join(r.cfg.Dir, "*", "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("recover recordings: %w", err)
	}
	var errs []error
	for _, dir := range dirs {
		if ctx.Err() != nil {
			return recovered, errors.Join(append(errs, ctx.Err())...)
		}
		m, done, err := r.recoverOne(dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("recover recording %s: %w", filepath.Base(dir), err))
		}
		if done {
			recovered = append(recovered, m)
		}
	}
	return recovered, errors.Join(errs...)
}

// unbegun tells whether the process was killed before the manifest was there, without which nothing is recorded: the folder has a piece of one
// at most.
func unbegun(root *os.Root) bool {
	entries, err := fs.ReadDir(root.FS(), ".")
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), ".manifest-") })
}

func (r *Recorder) recoverOne(dir string) (m Manifest, done bool, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return m, false, nil // no directory: nothing of ours
	}
	defer func() { _ = root.Close() }() // only read
	m, err = readManifest(root)
	if errors.Is(err, fs.ErrNotExist) && unbegun(root) {
		return m, false, os.RemoveAll(dir)
	}
	if err != nil {
		return m, false, err
	}
	r.mu.Lock()
	_, runs := r.live[m.RecordingID]
	r.mu.Unlock()
	if runs || m.State != StateRecording {
		return m, false, nil
	}
	timings, err := filepath.Glob(filepath.Join(dir, "*"+timingExt))
	if err != nil {
		return m, false, err
	}
	var errs []error
	m.Tracks = []ManifestTrack{}
	for _, path := range timings {
		t, err := recoverTrack(dir, path, m.StartedAt)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m.Tracks = append(m.Tracks, t)
		m.DurationMs = max(m.DurationMs, t.StartMs+t.DurationMs)
	}
	m.State = StateRecovered
	m.order()
	if err := m.write(dir); err != nil {
		return m, false, errors.Join(append(errs, err)...)
	}
	return m, true, errors.Join(errs...)
}

// recoverTrack brings a media file to what its timing file says was written whole.
func recoverTrack(dir, timing string, started time.Time) (ManifestTrack, error) {
	about, clusters, ended, err := readTiming(timing)
	if err != nil {
		return ManifestTrack{}, err
	}
	media, err := os.OpenFile(filepath.Join(dir, filepath.Base(about.Track.File)), os.O_RDWR, 0)
	if err != nil {
		return ManifestTrack{}, fmt.Errorf("open media file: %w", err)
	}
	defer func() { _ = media.Close() }() // synced below
	info, err := media.Stat()
	if err != nil {
		return ManifestTrack{}, fmt.Errorf("open media file: %w", err)
	}
	l := about.Track.lay()
	end, length := int64(len(l.head)), time.Duration(0)
	var cues []cue
	for _, c := range clusters {
		if c.Bytes > info.Size() {
			break
		}
		end, length = c.Bytes, time.Duration(c.EndMs)*time.Millisecond
		if c.Key {
			cues = append(cues, cue{At: time.Duration(c.AtMs) * time.Millisecond, Position: c.Position})
		}
	}
	if err := media.Truncate(end); err != nil {
		return ManifestTrack{}, fmt.Errorf("cut media file: %w", err)
	}
	m := about.Track.manifest(started, length)
	if ended.Width > 0 {
		m.Width, m.Height = ended.Width, ended.Height
		if err := l.resize(media, m.Width, m.Height); err != nil {
			return ManifestTrack{}, err
		}
	}
	if err := l.finish(media, end, length, cues); err != nil {
		return ManifestTrack{}, err
	}
	if err := media.Sync(); err != nil {
		return ManifestTrack{}, fmt.Errorf("sync media file: %w", err)
	}
	m.LostPackets, m.SkippedFrames = ended.Packets, ended.SkippedFrames
	err = m.seal(dir)
	return m, err
}

// readTiming gives the first line, those of clusters, and the sum of what was lost with the largest size. A last line that was half written is left out.
func readTiming(path string) (about Timing, clusters []Timing, ended Timing, err error) {
	f, err := os.Open(path)
	if err != nil {
		return about, nil, ended, fmt.Errorf("read timing file: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l Timing
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			break
		}
		switch l.Type {
		case "track":
			about = l
		case "cluster":
			clusters = append(clusters, l)
		case "gap":
			ended.Packets += l.Packets
		case "size":
			ended.Width, ended.Height = l.Width, l.Height
		case "end":
			ended.SkippedFrames = l.SkippedFrames
		}
	}
	if about.Track == nil {
		return about, nil, ended, fmt.Errorf("read timing file: %s has no track", filepath.Base(path))
	}
	return about, clusters, ended, lines.Err()
}
