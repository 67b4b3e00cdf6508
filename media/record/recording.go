package record

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"

	"github.com/anteroom/anteroom/media/forward"
)

const timingExt = ".jsonl"

// Recording is one that runs. All methods are safe for concurrent use.
type Recording struct {
	cfg     Config
	log     *slog.Logger
	id      uuid.UUID
	call    uuid.UUID
	org     string
	region  string
	dir     string
	started time.Time

	queue   chan item
	free    sync.Pool
	dropped atomic.Uint64
	stopped atomic.Bool
	stop    chan struct{}
	closing sync.Once
	failed  chan error
	done    chan struct{}
	result  Result
	err     error

	mu      sync.Mutex
	leftOut []LeftOut
	pending []*track // their writers were closed

	// Of the goroutine only.
	tracks    map[*track]struct{}
	finished  []ManifestTrack
	written   int64
	truncated string
}

// Result is what is to be told of a recording that has ended.
type Result struct {
	ID       uuid.UUID
	Started  time.Time
	Duration time.Duration
	// ContentType "audiovideo" or "audio"; ChannelType "unmixed": a file per track; Format "webm" or "mkv" (if one track is H.264).
	ContentType, ChannelType, Format string
	// Chunks is the number of media files, AudioChannels of tracks with audio.
	Chunks, AudioChannels uint32
	// DroppedPackets and Truncated as in the manifest.
	DroppedPackets uint64
	Truncated      string
}

// item is a packet or a sender report on its way to the disk.
type item struct {
	track     *track
	ssrc      uint32
	timestamp uint32
	seq       uint16
	marker    bool
	report    bool
	arrived   time.Time
	ntp       time.Time
	payload   []byte
	buffer    *[]byte
}

// ID of the recording.
func (r *Recording) ID() uuid.UUID { return r.id }

// Tap records a participant's tracks for as long as it is attached.
func (r *Recording) Tap(participant uuid.UUID) forward.Tap { return tap{r, participant} }

type tap struct {
	r           *Recording
	participant uuid.UUID
}

func (t tap) Track(ft forward.Track) forward.PacketWriter {
	if t.r.stopped.Load() {
		return nil
	}
	tr := newTrack(ft, t.participant)
	if tr == nil {
		t.r.mu.Lock()
		defer t.r.mu.Unlock()
		t.r.leftOut = append(t.r.leftOut, LeftOut{TrackID: ft.ID, ParticipantID: t.participant, Kind: ft.Kind, Codec: ft.MimeType})
		return nil
	}
	return &packets{r: t.r, t: tr}
}

// packets is a track's end at the media path: it copies and goes.
type packets struct {
	r      *Recording
	t      *track
	closed atomic.Bool
}

func (w *packets) WriteRTP(p *rtp.Packet, arrived time.Time) {
	if w.closed.Load() || w.r.stopped.Load() {
		return
	}
	buffer, _ := w.r.free.Get().(*[]byte) // the pool's New makes nothing else
	*buffer = append((*buffer)[:0], p.Payload...)
	w.put(item{
		track: w.t, ssrc: p.SSRC, timestamp: p.Timestamp, seq: p.SequenceNumber, marker: p.Marker, arrived: arrived,
		payload: *buffer, buffer: buffer,
	})
}

func (w *packets) SenderReport(ntp time.Time, rtpTime uint32) {
	if w.closed.Load() || w.r.stopped.Load() {
		return
	}
	w.put(item{track: w.t, report: true, timestamp: rtpTime, ntp: ntp.UTC(), arrived: time.Now().UTC()})
}

func (w *packets) put(i item) {
	select {
	case w.r.queue <- i:
	default:
		w.r.dropped.Add(1)
		if i.buffer != nil {
			w.r.free.Put(i.buffer)
		}
	}
}

// Close ends the track. Its file is completed once what waits is written.
func (w *packets) Close() {
	if w.closed.Swap(true) {
		return
	}
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.r.pending = append(w.r.pending, w.t)
}

// Failed tells why the recording is cut short, once at most: a write failed, or max_bytes is reached. What is written stays; the rest of that
// track is lost, and the recording goes on until it is stopped.
func (r *Recording) Failed() <-chan error { return r.failed }

// Stop ends the recording and completes its files. If ctx ends first they are completed all the same, and Stop tells the context's error.
func (r *Recording) Stop(ctx context.Context) (Result, error) {
	r.closing.Do(func() {
		r.stopped.Store(true)
		close(r.stop)
	})
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return Result{ID: r.id, Started: r.started}, ctx.Err()
	}
}

// run writes until the recording is stopped. Its start and end are the Recorder's.
func (r *Recording) run() {
	tick := time.NewTicker(r.cfg.ClusterInterval)
	defer tick.Stop()
	for {
		select {
		case i := <-r.queue:
			r.handle(i)
		case <-tick.C:
			r.tick()
		case <-r.stop:
			r.drain(len(r.queue))
			r.end()
			return
		}
	}
}

func (r *Recording) handle(i item) {
	r.tracks[i.track] = struct{}{}
	if i.report {
		i.track.senderReport(i)
		return
	}
	i.track.packet(r, i)
	r.free.Put(i.buffer)
}

func (r *Recording) drain(n int) {
	for range n {
		r.handle(<-r.queue)
	}
}

// tick writes out what came of tracks that rest now, and completes those that ended.
func (r *Recording) tick() {
	r.mu.Lock()
	ended := r.pending
	r.pending = nil
	r.mu.Unlock()
	if len(ended) > 0 {
		r.drain(len(r.queue))
	}
	for _, t := range ended {
		r.finish(t)
	}
	for t := range r.tracks {
		if time.Since(t.last) >= r.cfg.ClusterInterval {
			t.flush(r)
		}
	}
}

func (r *Recording) finish(t *track) {
	delete(r.tracks, t)
	if m := t.finish(r); m != nil {
		r.finished = append(r.finished, *m)
	}
}

// take asks for n bytes of the limit.
func (r *Recording) take(n int64) bool {
	if r.cfg.MaxBytes > 0 && r.written+n > r.cfg.MaxBytes {
		return false
	}
	r.written += n
	return true
}

func (r *Recording) trouble(err error) {
	if r.truncated == "" {
		r.truncated = "write_failed"
		if errors.Is(err, errLimit) {
			r.truncated = "max_bytes"
		}
		r.log.Error("recording is cut short", "recording", r.id, "call", r.call, "reason", r.truncated, "error", err)
		r.failed <- err // has room: this is the only one
	}
}

// end completes all files and the manifest.
func (r *Recording) end() {
	length := time.Since(r.started)
	for t := range r.tracks {
		r.finish(t)
	}
	m := r.manifest()
	m.State, m.DurationMs, m.Truncated = StateFinished, length.Milliseconds(), r.truncated
	m.DroppedPackets = r.dropped.Load()
	r.mu.Lock()
	m.LeftOut = r.leftOut
	r.mu.Unlock()
	for _, t := range r.finished {
		if err := t.seal(r.dir); err != nil {
			r.trouble(err)
			m.Truncated = r.truncated
			if t.SHA256 == "" {
				continue // there is no file that anybody could play
			}
		}
		m.Tracks = append(m.Tracks, t)
	}
	m.order()
	if err := m.write(r.dir); err != nil {
		r.err = err
		r.log.Error("manifest of a recording is not written; it will be at the next start", "recording", r.id, "call", r.call, "error", err)
	}
	r.result = m.result()
}

func (r *Recording) manifest() Manifest {
	return Manifest{
		Version: 1, RecordingID: r.id, CallID: r.call, Organization: r.org, Region: r.region, State: StateRecording, StartedAt: r.started,
		Tracks: []ManifestTrack{},
	}
}
