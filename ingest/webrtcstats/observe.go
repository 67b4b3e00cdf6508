package webrtcstats

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

// Bounds of what one file may hold. They stand far above real calls (a day with fifty streams has 430,000 samples) and keep a
// hostile file from taking more memory than its size warrants.
const (
	MaxStreams = event.MaxStreams
	MaxPeers   = 1024
	MaxSamples = 1 << 19
	MaxNotes   = 1 << 17
	// Streams read, over all times: a day at one a second with three hundred. Other reports cost an eighth.
	MaxReadings = 1 << 25
)

// What cannot be read on.
var (
	ErrTooManyStreams  = errors.New("more than 4096 streams in one file")
	ErrTooManyLive     = errors.New("more than 1024 streams in one session")
	ErrTooManyPeers    = errors.New("more than 1024 peer connections in one file")
	ErrTooManySamples  = errors.New("more than 524288 stream samples of ten seconds in one file")
	ErrTooManyReadings = errors.New("more than 33554432 readings of streams in one file")
	ErrTooManyNotes    = errors.New("more than 131072 state changes in one file")
	ErrTime            = errors.New("the time does not lie in the years 2000 to 2099")
	ErrTimeJump        = errors.New("the time differs by days from that of the statistics before")
)

const (
	kindAudio = "audio"
	kindVideo = "video"

	// A report's own clock is believed if it is this near to that of the line. (Chrome's runs behind while a machine sleeps.)
	clockToleranceMs = 5_000
	// Statistics older than the last ones by less than this are late and left out; by more, the clock was set back.
	lateMs = 60_000
	dayMs  = 24 * 3600 * 1000
	// A stream that is new since statistics this recent has counted from zero within them.
	freshMs = 15_000
)

// Snapshot takes the statistics of a peer connection at a time in ms since the epoch.
func (c *Call) Snapshot(pc string, reports map[string]*Report, at float64) error {
	p, err := c.peer(pc)
	if err != nil {
		return err
	}
	if !ValidMs(at) {
		return ErrTime
	}
	if p.statsAt != 0 && (at-p.statsRaw > 7*dayMs || p.statsRaw-at > dayMs) {
		return ErrTimeJump
	}
	c.snapshots++
	if c.readings += len(reports) / 8; c.readings > MaxReadings {
		return ErrTooManyReadings
	}
	p.statsRaw = at
	if p.statsAt != 0 && at+p.offset < p.statsAt-lateMs {
		p.offset = p.statsAt + 1000 - at
	}
	shifted := at + p.offset
	if !ValidMs(shifted) {
		return ErrTimeJump // set back again and again
	}
	if p.statsAt != 0 && shifted <= p.statsAt {
		return nil
	}
	c.touch(shifted)
	v := &view{reports: reports}
	ids, far := v.streams()
	c.readings += len(ids)
	for _, id := range ids {
		if err := c.observe(pc, p, v, id, far, at); err != nil {
			return err
		}
	}
	p.statsAt = shifted
	return nil
}

// streams lists the reports of streams in a stable order, and the far end's reports by what they speak of.
func (v *view) streams() (ids []string, far farReports) {
	far = farReports{map[string]*Report{}, map[float64]*Report{}}
	var remoteIDs []string
	for id, r := range v.reports {
		switch r.kind() {
		case "inbound-rtp", "outbound-rtp":
			ids = append(ids, id)
		case "remote-inbound-rtp":
			remoteIDs = append(remoteIDs, id)
		}
	}
	slices.Sort(ids)
	slices.Sort(remoteIDs)
	for _, id := range remoteIDs {
		r := v.reports[id]
		if local := r.text(textLocalID); local != "" {
			far.byLocal[local] = r
		}
		if ssrc, ok := r.num(numSSRC); ok {
			far.bySSRC[ssrc] = r
		}
		if ms, ok := rttMs(r, numRTT); ok {
			v.rtcpRTT.observe(ms, 1)
		}
	}
	return ids, far
}

// farReports are what the far end reports about what is sent here, by the local report's id and by SSRC.
type farReports struct {
	byLocal map[string]*Report
	bySSRC  map[float64]*Report
}

func (c *Call) observe(pc string, p *peerState, v *view, id string, far farReports, at float64) error {
	r := v.reports[id]
	key := streamKey{pc: pc, kind: mediaKind(r, id, v), direction: eventpb.Direction_DIRECTION_INBOUND}
	if r.kind() == "outbound-rtp" {
		key.direction = eventpb.Direction_DIRECTION_OUTBOUND
	}
	ssrc, ok := r.num(numSSRC)
	if ok && ssrc >= 0 && ssrc <= math.MaxUint32 && ssrc == math.Trunc(ssrc) {
		key.ssrc = uint32(ssrc)
	} else {
		key.discriminator = id
	}
	s := c.streams[key]
	if s == nil {
		switch {
		case len(c.streams) < c.most:
		case c.most < MaxStreams:
			return ErrTooManyLive
		default:
			return ErrTooManyStreams
		}
		s = &stream{key: key}
		c.streams[key] = s
		c.order = append(c.order, s)
	}
	in := sample{at: at, fresh: p.fresh(at + p.offset)}
	if t, ok := r.num(numTimestamp); ok && math.Abs(epochMs(t)-at) <= clockToleranceMs {
		in.at = epochMs(t)
	}
	if in.at += p.offset; !ValidMs(in.at) {
		in.at = at + p.offset
	}
	in.codec = codecName(v.reports[r.text(textCodecID)].text(textMimeType))
	pair := v.pair(r.text(textTransportID))
	in.path = v.path(pair)
	in.screen = c.isScreen(r, key, v)
	if key.direction == eventpb.Direction_DIRECTION_INBOUND {
		readInbound(&in, r, v, pair)
	} else {
		remote := v.reports[r.text(textRemoteID)]
		if remote == nil || remote.kind() != "remote-inbound-rtp" {
			remote = far.byLocal[id]
		}
		if remote == nil && ok {
			remote = far.bySSRC[ssrc]
		}
		readOutbound(&in, r, remote, pair, s)
	}
	before := len(s.windows)
	s.observe(in)
	c.samples += len(s.windows) - before
	if c.samples > MaxSamples {
		return ErrTooManySamples
	}
	return nil
}

// fresh tells whether the peer connection began or had statistics shortly before, so that a new stream is new indeed.
func (p *peerState) fresh(at float64) bool {
	since := max(p.created, p.statsAt)
	return since > 0 && at-since <= freshMs
}

// mediaKind is "audio", "video" or "" by what the report says, else its track or codec, else its id (old Chrome), else by
// what only one of the two counts.
func mediaKind(r *Report, id string, v *view) string {
	mime, _, _ := strings.Cut(v.reports[r.text(textCodecID)].text(textMimeType), "/")
	for _, k := range []string{r.text(textKind), v.reports[r.text(textTrackID)].text(textKind), mime} {
		if k = strings.ToLower(k); k == kindAudio || k == kindVideo {
			return k
		}
	}
	switch {
	case strings.Contains(id, "Audio"):
		return kindAudio
	case strings.Contains(id, "Video"):
		return kindVideo
	}
	if _, ok := r.num(numSamplesReceived); ok {
		return kindAudio
	}
	for _, n := range []number{numFramesDecoded, numFramesEncoded} {
		if _, ok := r.num(n); ok {
			return kindVideo
		}
	}
	return ""
}

// isScreen: the sender marked the content, the source is a display, the track came from getDisplayMedia, or the application
// said so for the SSRC.
func (c *Call) isScreen(r *Report, key streamKey, v *view) bool {
	if key.kind != kindVideo {
		return false
	}
	source, track := v.reports[r.text(textMediaSourceID)], v.reports[r.text(textTrackID)]
	if r.text(textContentType) == "screenshare" || source.text(textDisplaySurface) != "" || c.screenSSRC[key.ssrc] && key.ssrc != 0 {
		return true
	}
	for _, o := range []*Report{r, source, track} {
		if id := o.text(textTrackIdentifier); id != "" && c.screenTracks[id] {
			return true
		}
	}
	return false
}

func readInbound(in *sample, r *Report, v *view, pair *Report) {
	// Chrome before 2020 kept these on the track's report.
	track := v.reports[r.text(textTrackID)]
	put := func(id counterID, n number) {
		x, ok := r.counter(n)
		if !ok {
			x, ok = track.counter(n)
		}
		in.counters.put(id, x, ok)
	}
	put(cPackets, numPacketsReceived)
	put(cBytes, numBytesReceived)
	put(cDiscarded, numPacketsDiscarded)
	put(cRetransmitted, numRetransReceived)
	put(cFrames, numFramesDecoded)
	put(cFramesDropped, numFramesDropped)
	put(cFreezes, numFreezeCount)
	put(cFreezeTime, numFreezesDuration)
	put(cNacks, numNack)
	put(cPlis, numPli)
	put(cFirs, numFir)
	put(cJBDelay, numJBDelay)
	put(cJBEmitted, numJBEmitted)
	put(cConcealed, numConcealed)
	put(cSilent, numSilentConcealed)
	put(cSamples, numSamplesReceived)
	readLost(in, r)
	in.jitterMs = milliseconds(r, numJitter)
	// The path's round trip: by ICE; Firefox has none there, so by RTCP of what goes the other way.
	if ms, ok := rttMs(pair, numCurrentRTT); ok {
		in.rttMs = optional{ms, true}
	} else if ms, ok := v.rtcpRTT.value(); ok {
		in.rttMs = optional{ms, true}
	}
	in.height = gauge(r, track, numFrameHeight)
	in.fps = gauge(r, track, numFramesPerSecond)
	in.available = gauge(pair, nil, numAvailableIn)
}

func readOutbound(in *sample, r, remote, pair *Report, s *stream) {
	put := func(id counterID, n number) { x, ok := r.counter(n); in.counters.put(id, x, ok) }
	put(cPackets, numPacketsSent)
	put(cBytes, numBytesSent)
	put(cRetransmitted, numRetransSent)
	put(cFrames, numFramesSent)
	put(cFrames, numFramesEncoded)
	put(cFramesDropped, numFramesDropped)
	put(cNacks, numNack)
	put(cPlis, numPli)
	put(cFirs, numFir)
	in.height = gauge(r, nil, numFrameHeight)
	in.fps = gauge(r, nil, numFramesPerSecond)
	in.available = gauge(pair, nil, numAvailableOut)
	if remote == nil {
		return
	}
	readLost(in, remote)
	// A far end's report stands until the next; it is counted once.
	mark, ok := remote.num(numRTTMeasurements)
	if !ok {
		mark, ok = remote.num(numTimestamp)
	}
	if ok && mark == s.remoteMark {
		return
	}
	s.remoteMark = mark
	in.jitterMs = milliseconds(remote, numJitter)
	if ms, ok := rttMs(remote, numRTT); ok {
		in.rttMs = optional{ms, true}
	}
}

func readLost(in *sample, r *Report) {
	v, ok := r.num(numPacketsLost)
	ok = ok && math.Abs(v) <= 1<<53
	in.counters.put(cLost, v, ok)
	in.lossKnown = ok
}

// No jitter or round-trip time of a minute has been seen in calls; more is another unit or a broken clock.
const maxDelaySeconds = 60

func milliseconds(r *Report, n number) optional {
	v, ok := r.counter(n)
	return optional{v * 1000, ok && v <= maxDelaySeconds}
}

func rttMs(r *Report, n number) (float64, bool) {
	if m, ok := r.num(numRTTMeasurements); ok && m == 0 {
		return 0, false
	}
	o := milliseconds(r, n)
	return o.v, o.ok
}

func gauge(r, fallback *Report, n number) optional {
	v, ok := r.counter(n)
	if !ok {
		v, ok = fallback.counter(n)
	}
	return optional{v, ok}
}
