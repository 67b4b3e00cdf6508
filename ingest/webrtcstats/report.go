// Package webrtcstats turns W3C webrtc-stats reports, however a tool wrote them down, into events: one call as one
// participant's client saw it. It owns what the statistics mean; the packages rtcstats and webrtcinternals own how the dumps
// of those names spell them.
//
// It reads the names and units of https://www.w3.org/TR/webrtc-stats/ and the older spellings that browsers used before
// (isRemote, mediaType, inboundrtp, track reports, discardedPackets). What is not reported stays unknown and is never zero.
//
// Counters of WebRTC run from the start of a stream. They are differenced within one stream of one peer connection only; a
// counter that goes down has been restarted, and what it counted before is kept. Lost packets may go down by right, since
// late packets are counted back (RFC 3550 A.3).
//
// Nothing of a dump reaches an event but numbers, times, and words of closed sets: no address, label, id or name. The one
// exception is the identity that an importing admin vouches for (decode.Options.OrgUser).
//
// Everything is a pure function of its input, single-threaded and without a clock.
package webrtcstats

import (
	"math"
	"strconv"
	"strings"
)

// number is a numeric property of a report that has a meaning here. Booleans are 0 or 1.
type number uint8

const (
	numTimestamp number = iota
	numSSRC
	numPacketsReceived
	numPacketsLost
	numPacketsDiscarded
	numPacketsSent
	numBytesReceived
	numBytesSent
	numRetransReceived
	numRetransSent
	numJitter
	numJBDelay
	numJBEmitted
	numConcealed
	numSilentConcealed
	numSamplesReceived
	numFramesDecoded
	numFramesEncoded
	numFramesSent
	numFramesDropped
	numFramesPerSecond
	numFrameHeight
	numFreezeCount
	numFreezesDuration
	numNack
	numPli
	numFir
	numRTT
	numRTTMeasurements
	numFractionLost
	numCurrentRTT
	numAvailableOut
	numAvailableIn
	numNominated
	numSelected
	numWritable
	numIsRemote
	numberCount
)

// Several spellings lead to one property: the standard's first, then what older browsers wrote.
var numberNames = map[string]number{
	"timestamp": numTimestamp, "ssrc": numSSRC,
	"packetsReceived": numPacketsReceived, "packetsLost": numPacketsLost,
	"packetsDiscarded": numPacketsDiscarded, "discardedPackets": numPacketsDiscarded,
	"packetsSent": numPacketsSent, "bytesReceived": numBytesReceived, "bytesSent": numBytesSent,
	"retransmittedPacketsReceived": numRetransReceived, "retransmittedPacketsSent": numRetransSent,
	"jitter": numJitter, "jitterBufferDelay": numJBDelay, "jitterBufferEmittedCount": numJBEmitted,
	"concealedSamples": numConcealed, "silentConcealedSamples": numSilentConcealed, "totalSamplesReceived": numSamplesReceived,
	"framesDecoded": numFramesDecoded, "framesEncoded": numFramesEncoded, "framesSent": numFramesSent,
	"framesDropped": numFramesDropped, "droppedFrames": numFramesDropped,
	"framesPerSecond": numFramesPerSecond, "frameHeight": numFrameHeight,
	"freezeCount": numFreezeCount, "totalFreezesDuration": numFreezesDuration,
	"nackCount": numNack, "pliCount": numPli, "firCount": numFir,
	"roundTripTime": numRTT, "roundTripTimeMeasurements": numRTTMeasurements, "fractionLost": numFractionLost,
	"currentRoundTripTime":     numCurrentRTT,
	"availableOutgoingBitrate": numAvailableOut, "availableIncomingBitrate": numAvailableIn,
	"nominated": numNominated, "selected": numSelected, "writable": numWritable, "isRemote": numIsRemote,
}

// text is a textual property of a report that has a meaning here.
type text uint8

const (
	textType text = iota
	textKind
	textMimeType
	textCodecID
	textTransportID
	textRemoteID
	textLocalID
	textTrackID
	textTrackIdentifier
	textMediaSourceID
	textContentType
	textDisplaySurface
	textSelectedPairID
	textLocalCandidateID
	textRemoteCandidateID
	textState
	textCandidateType
	textProtocol
	textRelayProtocol
	textURL
	textCount
)

var textNames = map[string]text{
	"type": textType, "kind": textKind, "mediaType": textKind, "mimeType": textMimeType, "codecId": textCodecID,
	"transportId": textTransportID, "remoteId": textRemoteID, "localId": textLocalID, "trackId": textTrackID,
	"mediaTrackId": textTrackID, "trackIdentifier": textTrackIdentifier, "mediaSourceId": textMediaSourceID,
	"contentType": textContentType, "displaySurface": textDisplaySurface, "selectedCandidatePairId": textSelectedPairID,
	"localCandidateId": textLocalCandidateID, "remoteCandidateId": textRemoteCandidateID, "state": textState,
	"candidateType": textCandidateType, "protocol": textProtocol, "relayProtocol": textRelayProtocol, "url": textURL,
}

// Known tells whether a property has a meaning here; others need not be kept.
func Known(property string) bool {
	_, n := numberNames[property]
	_, t := textNames[property]
	return n || t
}

// maxText bounds what is kept of a textual property; ids of real browsers have at most some hundred bytes.
const maxText = 512

// Report is one statistics report, reduced to the properties that have a meaning here.
type Report struct {
	has  uint64
	nums [numberCount]float64
	txts [textCount]string
}

// Set takes a property as JSON. Unknown properties are ignored; a value of the wrong kind, null, and numbers outside
// float64 make the property unknown, since a statistic that cannot be read is no reason to refuse the file.
func (r *Report) Set(property string, raw []byte) {
	if n, ok := numberNames[property]; ok {
		if v, ok := parseNumber(raw); ok {
			r.has |= 1 << n
			r.nums[n] = v
		} else {
			r.has &^= 1 << n
		}
		return
	}
	if t, ok := textNames[property]; ok {
		r.txts[t] = parseText(raw)
	}
}

// parseNumber reads numbers, booleans and (older browsers) numbers in quotes.
func parseNumber(raw []byte) (float64, bool) {
	s := string(raw)
	switch {
	case s == "true":
		return 1, true
	case s == "false":
		return 0, true
	case len(s) > 2 && len(s) < 64 && s[0] == '"':
		s = s[1 : len(s)-1]
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, false
	}
	return v, true
}

func parseText(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if len(raw) > maxText {
		return ""
	}
	if s, err := strconv.Unquote(string(raw)); err == nil {
		return s
	}
	// JSON escapes that Go does not know (\/, surrogate pairs) occur in ids only as themselves: both sides are equal.
	return string(raw[1 : len(raw)-1])
}

func (r *Report) num(n number) (float64, bool) {
	if r == nil || r.has&(1<<n) == 0 {
		return 0, false
	}
	return r.nums[n], true
}

// counter gives a property that can only count: whole, not negative, below 2^53 (what a browser's number can hold).
func (r *Report) counter(n number) (float64, bool) {
	v, ok := r.num(n)
	if !ok || v < 0 || v > 1<<53 {
		return 0, false
	}
	return v, true
}

func (r *Report) flag(n number) bool {
	v, ok := r.num(n)
	return ok && v != 0
}

func (r *Report) text(t text) string {
	if r == nil {
		return ""
	}
	return r.txts[t]
}

// kind is the report's type in the standard's spelling, with the older isRemote resolved.
func (r *Report) kind() string {
	t := r.text(textType)
	switch t {
	case "inbound-rtp", "inboundrtp":
		if r.flag(numIsRemote) {
			return "remote-inbound-rtp"
		}
		return "inbound-rtp"
	case "outbound-rtp", "outboundrtp":
		if r.flag(numIsRemote) {
			return "remote-outbound-rtp"
		}
		return "outbound-rtp"
	case "candidatepair":
		return "candidate-pair"
	case "localcandidate":
		return "local-candidate"
	case "remotecandidate":
		return "remote-candidate"
	}
	return t
}

// NewReport makes a report of a type.
func NewReport(kind string) *Report {
	r := new(Report)
	r.txts[textType] = kind
	return r
}

// LegacyType tells whether a type of report is of the goog* statistics that browsers had before the standard.
func LegacyType(t string) bool { return t == "ssrc" || t == "VideoBwe" || strings.HasPrefix(t, "goog") }
