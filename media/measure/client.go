package measure

import "time"

// Client is what a client measured itself of one track over Interval; nil is not known. Averages are over the interval, counts are of it.
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

// weighted is an average whose parts count by how long they lasted.
type weighted struct{ sum, weight, max float64 }

func (w *weighted) add(v *float64, weight float64) {
	if v == nil || !(*v >= 0) || weight <= 0 { // not >=: NaN too
		return
	}
	w.sum += *v * weight
	w.weight += weight
	w.max = max(w.max, *v)
}

func (w *weighted) addAll(o weighted) {
	w.sum += o.sum
	w.weight += o.weight
	if o.weight > 0 {
		w.max = max(w.max, o.sum/o.weight)
	}
}

func (w weighted) known() bool { return w.weight > 0 }

func (w weighted) mean() float64 { return w.sum / w.weight }

// tally is a count that may not be known.
type tally struct {
	n     float64
	known bool
}

func (t *tally) add(v *uint64) {
	if v != nil {
		t.n += float64(*v)
		t.known = true
	}
}

// clientSum is what a client's batches of one interval sum up to.
type clientSum struct {
	jitterBuffer, healed, frameRate, height, available weighted
	frames, framesDropped, freezes, discarded          tally
	freezeMs                                           tally
	// freezeOver is how long freezeMs was watched.
	freezeOver time.Duration
}

func (c *clientSum) add(b Client) {
	w := b.Interval.Seconds()
	if w <= 0 {
		return
	}
	c.jitterBuffer.add(b.JitterBufferMs, w)
	if b.HealedRatio != nil && *b.HealedRatio <= 1 {
		c.healed.add(b.HealedRatio, w)
	}
	c.frameRate.add(b.FrameRate, w)
	c.height.add(b.FrameHeight, w)
	c.available.add(b.AvailableBitrate, w)
	c.frames.add(b.Frames)
	c.framesDropped.add(b.FramesDropped)
	c.freezes.add(b.Freezes)
	c.discarded.add(b.PacketsDiscarded)
	if b.FreezeMs != nil && *b.FreezeMs >= 0 {
		c.freezeMs.n += *b.FreezeMs
		c.freezeMs.known = true
		c.freezeOver += b.Interval
	}
}
