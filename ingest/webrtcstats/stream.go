package webrtcstats

import (
	"math"
	"strings"

	"github.com/anteroom/anteroom/event/eventpb"
)

// streamKey tells streams of one participant apart. discriminator is the report's id where no SSRC is reported.
type streamKey struct {
	pc            string
	direction     eventpb.Direction
	kind          string
	ssrc          uint32
	discriminator string
}

// counterID is a counter that is differenced and added up.
type counterID uint8

const (
	cPackets counterID = iota
	cLost
	cBytes
	cDiscarded
	cRetransmitted
	cFrames
	cFramesDropped
	cFreezes
	cNacks
	cPlis
	cFirs
	cJBDelay   // seconds
	cJBEmitted // samples or frames
	cConcealed
	cSilent
	cSamples
	cFreezeTime // seconds
	counterCount
)

// counters are readings or differences of all counters; have has a bit for each that is known.
type counters struct {
	have uint32
	v    [counterCount]float64
}

func (c *counters) put(id counterID, v float64, ok bool) {
	if ok {
		c.v[id] = v
		c.have |= 1 << id
	}
}

func (c *counters) get(id counterID) (float64, bool) { return c.v[id], c.have&(1<<id) != 0 }

func (c *counters) add(d counters) {
	for id := range counterCount {
		if v, ok := d.get(id); ok {
			c.put(id, c.v[id]+v, true)
		}
	}
}

// since differences two readings of one stream. A counter that fell has been restarted and counts from 0 again; when the
// packets have been restarted all have. The lost packets alone may fall by right.
func (c counters) since(before counters) counters {
	now, known := c.get(cPackets)
	last, knownBefore := before.get(cPackets)
	restarted := known && knownBefore && now < last
	var d counters
	for id := range counterCount {
		v, ok := c.get(id)
		if !ok {
			continue
		}
		b, had := before.get(id)
		if had && !restarted && (v >= b || id == cLost) {
			v -= b
		}
		d.put(id, v, true)
	}
	return d
}

// mean is an average weighted by time.
type mean struct{ sum, weight, max float64 }

func (m *mean) observe(v, weight float64) {
	if weight <= 0 {
		return
	}
	if m.weight == 0 || v > m.max {
		m.max = v
	}
	m.sum += v * weight
	m.weight += weight
}

func (m *mean) value() (float64, bool) { return m.sum / m.weight, m.weight > 0 }

// gauges are what is averaged over an interval.
type gauges struct {
	jitterMs, rttMs, height, fps, available mean
	// Seconds: all time between readings, and those in which media flowed.
	covered, flowed float64
	// Bytes of those times.
	coveredBytes, flowedBytes float64
	// Frames per second of the times in which media had flowed before and went on flowing.
	rate mean
}

// stream is one stream of one peer connection while a dump is read.
type stream struct {
	key         streamKey
	first, last float64 // when its report was seen first and last, ms
	readingAt   float64 // time of the last reading by the report's own clock, ms
	reading     counters
	read        bool
	total       counters // since the stream began
	watched     counters // differences only, without what was counted before the dump began
	overall     gauges
	windows     []window
	peaks       peaks
	codec       string
	screen      bool
	lossKnown   bool
	path        path
	pacer       pacer
	// What makes a far end's report a new one.
	remoteMark float64
}

// sample is what one reading of a stream says.
type sample struct {
	at       float64 // ms since the epoch
	counters counters
	jitterMs, rttMs, height, fps,
	available optional
	codec     string
	screen    bool
	lossKnown bool
	path      path
	// A stream seen for the first time has counted from zero within the dump.
	fresh bool
}

type optional struct {
	v  float64
	ok bool
}

// observe takes a reading. Readings that are not later than the last one are ignored.
func (s *stream) observe(in sample) {
	if s.read && in.at <= s.last {
		return
	}
	var d counters
	var seconds float64
	switch {
	case s.read:
		d, seconds = in.counters.since(s.reading), (in.at-s.readingAt)/1000
		s.total.add(d)
		s.watched.add(d)
	default:
		s.first = in.at
		s.total.add(in.counters)
		if in.fresh {
			d = in.counters
			s.watched.add(d)
		}
	}
	s.read, s.last, s.readingAt, s.reading = true, in.at, in.at, merge(s.reading, in.counters)
	if in.codec != "" {
		s.codec = in.codec
	}
	s.screen = s.screen || in.screen
	s.lossKnown = s.lossKnown || in.lossKnown
	s.path = in.path.or(s.path)
	w := s.window(in.at)
	w.counters.add(d)
	w.lossKnown = w.lossKnown || in.lossKnown
	measure(&w.gauges, d, in, seconds)
	measure(&s.overall, d, in, seconds)
	s.pace(d, seconds)
}

// merge keeps the last known reading of a counter that is not reported for a while.
func merge(old, now counters) counters {
	for id := range counterCount {
		if v, ok := now.get(id); ok {
			old.put(id, v, true)
		}
	}
	return old
}

// measure averages gauges over the times in which media flowed: payload bytes went by. Padding and keep-alives are no media,
// and an idle stream is neither slow nor small.
func measure(g *gauges, d counters, in sample, seconds float64) {
	if seconds <= 0 {
		return
	}
	bytes, bytesKnown := d.get(cBytes)
	packets, _ := d.get(cPackets)
	g.covered += seconds
	g.coveredBytes += bytes
	if bytes <= 0 && (bytesKnown || packets <= 0) {
		return
	}
	g.flowed += seconds
	g.flowedBytes += bytes
	for _, o := range []struct {
		m *mean
		v optional
	}{
		{&g.jitterMs, in.jitterMs},
		{&g.rttMs, in.rttMs},
		{&g.height, in.height},
		{&g.fps, in.fps},
		{&g.available, in.available},
	} {
		if o.v.ok {
			o.m.observe(o.v.v, seconds)
		}
	}
}

// frameRate is what was decoded or encoded per second of flowing media; where frames are not counted, the reported rate.
func (g *gauges) frameRate() (float64, bool) {
	if v, ok := g.rate.value(); ok {
		return v, ok
	}
	return g.fps.value()
}

// pacer holds back the frame rate of an interval until the next one tells whether media went on. A camera or layer that is
// switched on or off within an interval is not slow for it, so that the first and the last interval of flowing media say
// nothing. A standstill in between is what freezes tell.
type pacer struct {
	flowing, pending bool
	fps, seconds     float64
	window           int // index into the stream's windows; -1 when that window has counted it already
}

func (s *stream) pace(d counters, seconds float64) {
	if seconds <= 0 {
		return
	}
	bytes, _ := d.get(cBytes)
	frames, known := d.get(cFrames)
	p := &s.pacer
	if bytes <= 0 || !known {
		*p = pacer{}
		return
	}
	s.settle()
	*p = pacer{flowing: true, pending: p.flowing, fps: frames / seconds, seconds: seconds, window: len(s.windows) - 1}
}

// settle counts the interval that was held back.
func (s *stream) settle() {
	if p := &s.pacer; p.pending {
		s.overall.rate.observe(p.fps, p.seconds)
		if p.window >= 0 {
			s.windows[p.window].gauges.rate.observe(p.fps, p.seconds)
		}
		p.pending = false
	}
}

// Codecs of the standard registrations that browsers negotiate. Anything else is left out, since a dump may say anything.
var codecs = []string{
	"opus", "red", "multiopus", "ISAC", "iLBC", "G722", "PCMU", "PCMA", "L16", "CN", "telephone-event",
	"VP8", "VP9", "AV1", "AV1X", "H264", "H265", "HEVC", "rtx", "ulpfec", "flexfec-03",
}

func codecName(mimeType string) string {
	_, name, _ := strings.Cut(mimeType, "/")
	for _, c := range codecs {
		if strings.EqualFold(c, name) {
			return c
		}
	}
	return ""
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
