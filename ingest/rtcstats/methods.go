package rtcstats

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/webrtcstats"
)

var errNoTime = &decode.Error{Field: "[3]", Reason: "the time must be milliseconds since the epoch, in the years 2000 to 2099"}

// handle takes one entry. Methods that say nothing about quality are passed over, as are those this version does not know.
func (r *reader) handle(e entry) error {
	switch e.method {
	case "connectionInfo":
		return r.connectionInfo(e.value)
	case "identity":
		r.identity(e.value)
		return nil
	}
	if e.at == 0 {
		if !e.hasPC && !timed(e.method) {
			return nil
		}
		fresh := *errNoTime // the line is put into it later
		return &fresh
	}
	switch e.method {
	case "getstats", "getStats":
		return r.statistics(e)
	case "setVideoType":
		r.videoType(e.value)
		return nil
	}
	if strings.Contains(e.method, "getUserMedia") || strings.Contains(e.method, "getDisplayMedia") {
		return r.capture(e)
	}
	if !e.hasPC {
		return nil // calls before the call (device and network tests) are not told apart from each other
	}
	return r.peerEvent(e)
}

// timed tells whether a method without a peer connection makes events, for which it needs a time.
func timed(method string) bool {
	return method == "getstats" || method == "getStats" ||
		strings.Contains(method, "getUserMedia") || strings.Contains(method, "getDisplayMedia")
}

func (r *reader) statistics(e entry) error {
	p := r.peers[e.pc]
	if p == nil {
		if len(r.peers) >= webrtcstats.MaxPeers {
			return webrtcstats.ErrTooManyPeers
		}
		p = new(webrtcstats.Peer)
		r.peers[e.pc] = p
	}
	r.reports -= len(p.Reports())
	if err := p.Apply(e.value, e.at, r.delta); err != nil {
		return err
	}
	r.reports += len(p.Reports())
	switch {
	case r.live && r.reports > webrtcstats.MaxLiveReports:
		return webrtcstats.ErrTooManyLiveReports
	case r.reports > webrtcstats.MaxAllReports:
		return webrtcstats.ErrTooManyReports
	}
	return r.call.Snapshot(e.pc, p.Reports(), e.at)
}

func (r *reader) peerEvent(e entry) error {
	switch e.method {
	case "create":
		return r.call.Created(e.pc, e.at)
	case "constraints":
		r.constraints(e.value)
	case "oniceconnectionstatechange":
		return r.call.ICEState(e.pc, str(e.value), e.at)
	case "onconnectionstatechange":
		return r.call.ConnectionState(e.pc, str(e.value), e.at)
	case "ondtlsstatechange":
		if str(e.value) == "failed" {
			return r.call.DTLSFailed(e.pc, e.at)
		}
	case "ondtlserror":
		return r.call.DTLSFailed(e.pc, e.at)
	case "close":
		return r.call.Closed(e.pc, e.at)
	case "createOfferOnFailure", "createAnswerOnFailure", "setLocalDescriptionOnFailure", "setRemoteDescriptionOnFailure":
		if err := r.call.Failed(strings.TrimSuffix(e.method, "OnFailure"), e.at); err != nil {
			return err
		}
	}
	return r.call.Happened(e.at)
}

// info is what a server notes about the client that connected.
type info struct {
	UserAgent      string `json:"userAgent"`
	ClientProtocol string `json:"clientProtocol"`
	StatsFormat    string `json:"statsFormat"`
	ClientType     string `json:"clientType"`
}

func (r *reader) connectionInfo(value json.RawMessage) error {
	if inner := str(value); inner != "" { // older servers wrote the object as text
		value = json.RawMessage(inner)
	}
	var in info
	if json.Unmarshal(value, &in) != nil {
		return &decode.Error{Field: "[2]", Reason: "connectionInfo must be an object with texts"}
	}
	who := strings.ToUpper(in.ClientType + " " + in.ClientProtocol + " " + in.StatsFormat)
	for _, backend := range []string{"JVB", "JICOFO", "JIGASI", "JIBRI"} {
		if strings.Contains(who, backend) {
			return errors.New("unsupported format: a backend dump (" + strings.ToLower(backend) +
				"), which is not the call of a browser")
		}
	}
	legacyProtocol := strings.HasSuffix(in.ClientProtocol, "_LEGACY") && in.StatsFormat == "" && strings.Contains(in.UserAgent, "Chrom")
	if in.StatsFormat == "chrome_legacy" || legacyProtocol {
		return webrtcstats.ErrLegacy
	}
	r.call.Client(in.UserAgent)
	return nil
}

// identity is application data. It is not even looked at unless the importer vouches for an org user.
func (r *reader) identity(value json.RawMessage) {
	if !r.keep {
		return
	}
	var in struct {
		UserID      json.RawMessage `json:"userId"`
		DisplayName json.RawMessage `json:"displayName"`
	}
	if json.Unmarshal(value, &in) == nil {
		r.call.Identity(str(in.UserID), str(in.DisplayName))
	}
}

func (r *reader) constraints(value json.RawMessage) {
	var in struct {
		Optional []map[string]json.RawMessage `json:"optional"`
	}
	if json.Unmarshal(value, &in) != nil {
		return
	}
	for _, o := range in.Optional {
		switch string(o["rtcStatsSFUP2P"]) {
		case "true":
			r.call.Topology(true)
		case "false":
			r.call.Topology(false)
		}
	}
}

// videoType: the application says what an SSRC carries ("camera", "desktop").
func (r *reader) videoType(value json.RawMessage) {
	var in struct {
		SSRC      uint32 `json:"ssrc"`
		VideoType string `json:"videoType"`
	}
	if json.Unmarshal(value, &in) == nil && strings.HasPrefix(in.VideoType, "desktop") {
		r.call.ScreenSSRC(in.SSRC)
	}
}

func (r *reader) capture(e entry) error {
	outcome := ""
	for _, suffix := range []string{"OnSuccess", "OnFailure"} {
		if strings.HasSuffix(e.method, suffix) {
			outcome = suffix
		}
	}
	screen := strings.Contains(e.method, "getDisplayMedia")
	switch {
	case outcome == "" && !screen:
		r.call.DevicesAsked(askedFor(e.value))
	case outcome == "OnSuccess" && screen:
		return r.call.ScreenGranted(tracks(e.value, ""), e.at)
	case outcome == "OnSuccess":
		got := webrtcstats.Devices{Audio: len(tracks(e.value, "audio")) > 0, Video: len(tracks(e.value, "video")) > 0}
		return r.call.DevicesGranted(got, e.at)
	case outcome == "OnFailure" && screen:
		return r.call.ScreenFailed(exception(e.value), e.at)
	case outcome == "OnFailure":
		return r.call.DevicesFailed(exception(e.value), e.at)
	}
	return nil
}

func askedFor(value json.RawMessage) webrtcstats.Devices {
	var in struct {
		Audio json.RawMessage `json:"audio"`
		Video json.RawMessage `json:"video"`
	}
	if json.Unmarshal(value, &in) != nil {
		return webrtcstats.Devices{}
	}
	wanted := func(raw json.RawMessage) bool {
		return len(raw) > 0 && string(raw) != "false" && string(raw) != "null"
	}
	return webrtcstats.Devices{Audio: wanted(in.Audio), Video: wanted(in.Video)}
}

// tracks are the ids of a stream's tracks of a kind, "" for any. Streams are written as objects, older as text:
// "stream audio:track,video:track".
func tracks(value json.RawMessage, kind string) []string {
	var ids []string
	var in struct {
		Tracks []struct {
			ID   string `json:"id"`
			Kind string `json:"kind"`
		} `json:"tracks"`
	}
	if json.Unmarshal(value, &in) == nil {
		for _, t := range in.Tracks {
			if kind == "" || t.Kind == kind {
				ids = append(ids, t.ID)
			}
		}
	}
	_, list, _ := strings.Cut(str(value), " ")
	for _, part := range strings.Split(list, ",") {
		if k, id, ok := strings.Cut(part, ":"); ok && (kind == "" || k == kind) {
			ids = append(ids, id)
		}
	}
	return ids
}

// exception is the name of a DOMException, written as text or as an object.
func exception(value json.RawMessage) string {
	if s := str(value); s != "" {
		return s
	}
	var in struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(value, &in) != nil {
		return ""
	}
	return in.Name
}
