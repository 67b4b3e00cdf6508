package rtcstats

import (
	"encoding/json"
	"errors"
	"math"

	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/webrtcstats"
)

// The successor's file format that is read; its first two lines say which it is.
const successorFormat = 3

// Numbers that stand for methods, statistics types and properties on the wire (rtcstats#5.0). Only those that are read.
var (
	shortMethods = map[string]string{
		"g": "getStats", "1": "getStats", "39": "create", "40": "constraints", "36": "close",
		"12": "createOfferOnFailure", "13": "createAnswerOnFailure",
		"14": "setLocalDescriptionOnFailure", "15": "setRemoteDescriptionOnFailure",
		"24": "oniceconnectionstatechange", "25": "onconnectionstatechange",
		"60": "navigator.mediaDevices.getUserMedia", "61": "navigator.mediaDevices.getUserMediaOnSuccess",
		"65": "navigator.mediaDevices.getUserMediaOnFailure", "63": "navigator.mediaDevices.getDisplayMedia",
		"64": "navigator.mediaDevices.getDisplayMediaOnSuccess", "68": "navigator.mediaDevices.getDisplayMediaOnFailure",
	}
	shortTypes = map[string]string{
		"1": "inbound-rtp", "2": "outbound-rtp", "3": "remote-inbound-rtp", "4": "remote-outbound-rtp", "5": "transport",
		"6": "candidate-pair", "7": "local-candidate", "8": "remote-candidate", "12": "media-source", "14": "codec",
	}
	shortProperties = map[string]string{
		"t": "timestamp", "5": "transportId", "6": "mimeType", "10": "ssrc", "11": "kind", "12": "codecId",
		"14": "packetsReceived", "15": "packetsLost", "16": "jitter", "17": "trackIdentifier", "19": "remoteId",
		"20": "framesDecoded", "22": "framesDropped", "24": "frameHeight", "25": "framesPerSecond", "32": "freezeCount",
		"33": "totalFreezesDuration", "36": "packetsDiscarded", "41": "bytesReceived", "42": "nackCount", "43": "firCount",
		"44": "pliCount", "47": "jitterBufferDelay", "49": "jitterBufferEmittedCount", "51": "totalSamplesReceived",
		"52": "concealedSamples", "53": "silentConcealedSamples", "66": "contentType", "68": "retransmittedPacketsReceived",
		"74": "localId", "75": "roundTripTime", "77": "fractionLost", "78": "roundTripTimeMeasurements", "79": "packetsSent",
		"80": "bytesSent", "81": "mediaSourceId", "85": "retransmittedPacketsSent", "89": "framesSent", "91": "framesEncoded",
		"116": "protocol", "118": "state", "125": "selectedCandidatePairId", "136": "candidateType", "138": "url",
		"139": "relayProtocol", "148": "localCandidateId", "149": "remoteCandidateId", "150": "nominated",
		"152": "currentRoundTripTime", "153": "availableOutgoingBitrate", "154": "availableIncomingBitrate",
	}
)

func lengthen(table map[string]string, s string) string {
	if long, ok := table[s]; ok {
		return long
	}
	return s
}

// bare is a JSON string or number as text.
func bare(raw json.RawMessage) string {
	if len(raw) > 0 && raw[0] == '"' {
		return str(raw)
	}
	return string(raw)
}

// successorLine takes a line of the successor's format: the magic, the metadata, then the messages, whose last field is the
// time since the message before.
func (r *reader) successorLine(line []byte, last bool) error {
	r.lines++
	switch r.lines {
	case 1:
		if string(line) != string(successorMagic) {
			return errors.New("the first line must be RTCStatsDump")
		}
		r.delta = successorDelta()
		return nil
	case 2:
		return r.metadata(line)
	}
	fields, err := array(line, last)
	if err != nil {
		return err
	}
	e, err := r.successorEntry(fields)
	if err != nil || e.method == "" {
		return err
	}
	return r.handle(e)
}

// successorDelta is how statistics are written in the successor's format.
func successorDelta() webrtcstats.Delta {
	return webrtcstats.Delta{
		KeepMissing: true, TimestampKey: "t",
		Property: func(s string) string { return lengthen(shortProperties, s) },
		Type: func(raw json.RawMessage) (string, bool) {
			long, ok := shortTypes[bare(raw)]
			return long, ok
		},
	}
}

// successorEntry reads a message, whose last field is the time since the one before. What a client says about itself has no method then.
func (r *reader) successorEntry(fields []json.RawMessage) (e entry, err error) {
	e.method = lengthen(shortMethods, bare(fields[0]))
	if e.pc, e.hasPC, err = peerName(fields[1]); err != nil {
		return e, err
	}
	if len(fields) > 3 { // methods without a value have the time in its place
		e.value = fields[2]
	}
	var step float64
	if json.Unmarshal(fields[len(fields)-1], &step) != nil || math.Abs(step) > 1e15 {
		return e, &decode.Error{Field: "[-1]", Reason: "the time since the line before must be a number of milliseconds"}
	}
	if webrtcstats.ValidMs(step) { // a client that connects anew starts with the time since the epoch
		r.clock = 0
	}
	r.clock += step
	if e.at = r.clock; !webrtcstats.ValidMs(r.clock) {
		e.at = 0
	}
	if e.method == "create" && !e.hasPC {
		e.method = ""
	}
	return e, nil
}

func (r *reader) metadata(line []byte) error {
	var in struct {
		FileFormat int    `json:"fileFormat"`
		UserAgent  string `json:"userAgent"`
	}
	if json.Unmarshal(line, &in) != nil {
		return errors.New("the second line must be an object of metadata")
	}
	if in.FileFormat != successorFormat {
		return errors.New("unsupported format: the dump's fileFormat must be 3")
	}
	r.call.Client(in.UserAgent)
	return nil
}
