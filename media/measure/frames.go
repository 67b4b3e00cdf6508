package measure

import "time"

const (
	recentFrames = 64
	// A freeze, as the WebRTC statistics define it (webrtc-stats, freezeCount): a gap between frames of at least the larger of three times the
	// average gap and the average plus 150 ms, the average being that of the last 30 frames.
	freezeFactor  = 3
	freezeMargin  = 150 * time.Millisecond
	freezeAverage = 30
	// freezeFewest gaps must be known before a freeze is.
	freezeFewest = 5
)

// frames counts frames by timestamp, and gaps between them.
type frames struct {
	started bool
	newest  uint32
	recent  [recentFrames]uint32
	known   int
	at      int

	shown time.Time
	gaps  [freezeAverage]time.Duration
	sum   time.Duration
	seen  int
}

// add tells whether the packet is the first that came of its frame.
func (f *frames) add(timestamp uint32) bool {
	if f.started && timestamp == f.newest {
		return false
	}
	if f.started && int32(timestamp-f.newest) < 0 {
		for k := range f.known {
			if f.recent[k] == timestamp {
				return false
			}
		}
	} else {
		f.newest = timestamp
	}
	f.started = true
	f.recent[f.at] = timestamp
	f.at = (f.at + 1) % recentFrames
	f.known = min(f.known+1, recentFrames)
	return true
}

// end notes the last packet of the newest frame, and gives the length of the freeze that it ends, or 0.
func (f *frames) end(arrived time.Time) time.Duration {
	last := f.shown
	f.shown = arrived
	if last.IsZero() {
		return 0
	}
	gap := arrived.Sub(last)
	var freeze time.Duration
	if f.seen >= freezeFewest {
		average := f.sum / time.Duration(min(f.seen, freezeAverage))
		if gap >= max(freezeFactor*average, average+freezeMargin) {
			freeze = gap
		}
	}
	slot := f.seen % freezeAverage
	f.sum += gap - f.gaps[slot]
	f.gaps[slot] = gap
	f.seen++
	return freeze
}

func (f *frames) pause() { f.shown = time.Time{} }
