package webrtcinternals

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/anteroom/anteroom/ingest/webrtcstats"
)

// update is one event of a peer connection.
type update struct {
	Timestamp json.RawMessage `json:"timestamp"` // ms since the epoch
	Time      json.RawMessage `json:"time"`      // older versions
	Type      string          `json:"type"`
	Value     json.RawMessage `json:"value"`
}

// Older versions of the page wrote times as the browser shows them, in the language and the time zone of the user. The
// English form is read; the zone is found below.
const shownTime = "1/2/2006, 3:04:05 PM"

func (u update) shown() (time.Time, bool) {
	s := strings.ReplaceAll(str(u.Time), "\u202f", " ") // newer versions put a narrow space before AM and PM
	t, err := time.Parse(shownTime, s)
	return t, err == nil
}

// updates notes what happened to a peer connection. Events whose time cannot be read are left out: the statistics tell the
// call's time without them.
func updates(call *webrtcstats.Call, pc string, log []update, statsStart float64) error {
	zone := zoneOf(log, statsStart)
	for i, u := range log {
		at := max(instant(u.Timestamp), instant(u.Time))
		if t, ok := u.shown(); ok {
			at = float64(t.UnixMilli()) + zone
		}
		if !webrtcstats.ValidMs(at) {
			continue
		}
		if i == 0 {
			if err := call.Created(pc, at); err != nil {
				return err
			}
		}
		if err := apply(call, pc, u, at); err != nil {
			return err
		}
	}
	return nil
}

// zoneOf is what must be added to shown times, in ms: the log begins within minutes of the statistics, so that the rest is
// the zone, a whole number of quarter hours.
func zoneOf(log []update, statsStart float64) float64 {
	const quarterHourMs = 15 * 60 * 1000
	for _, u := range log {
		if t, ok := u.shown(); ok && statsStart > 0 {
			return math.Round((statsStart-float64(t.UnixMilli()))/quarterHourMs) * quarterHourMs
		}
	}
	return 0
}

func apply(call *webrtcstats.Call, pc string, u update, at float64) error {
	switch strings.TrimPrefix(strings.ToLower(u.Type), "on") {
	case "iceconnectionstatechange":
		return call.ICEState(pc, str(u.Value), at)
	case "connectionstatechange":
		return call.ConnectionState(pc, str(u.Value), at)
	case "close", "stop":
		return call.Closed(pc, at)
	}
	switch u.Type {
	case "createOfferOnFailure", "createAnswerOnFailure", "setLocalDescriptionOnFailure", "setRemoteDescriptionOnFailure":
		if err := call.Failed(strings.TrimSuffix(u.Type, "OnFailure"), at); err != nil {
			return err
		}
	}
	return call.Happened(at)
}

// capture is a request for microphone, camera or screen, or what became of it.
type capture struct {
	Timestamp   json.RawMessage `json:"timestamp"`
	RequestID   json.RawMessage `json:"request_id"`
	RequestType string          `json:"request_type"`
	Audio       json.RawMessage `json:"audio"`
	Video       json.RawMessage `json:"video"`
	StreamID    json.RawMessage `json:"stream_id"`
	AudioTrack  json.RawMessage `json:"audio_track_info"`
	VideoTrack  json.RawMessage `json:"video_track_info"`
	Error       json.RawMessage `json:"error"`
}

func captures(call *webrtcstats.Call, list []capture) error {
	asked := map[string]webrtcstats.Devices{}
	for _, c := range list {
		at := instant(c.Timestamp)
		if at == 0 {
			continue
		}
		screen := strings.Contains(c.RequestType, "getDisplayMedia")
		var err error
		switch failed, granted := str(c.Error), str(c.StreamID) != ""; {
		case failed != "" && screen:
			err = call.ScreenFailed(failed, at)
		case failed != "":
			call.DevicesAsked(asked[string(c.RequestID)])
			err = call.DevicesFailed(failed, at)
		case granted && screen:
			err = call.ScreenGranted([]string{trackID(c.VideoTrack), trackID(c.AudioTrack)}, at)
		case granted:
			got := webrtcstats.Devices{Audio: str(c.AudioTrack) != "", Video: str(c.VideoTrack) != ""}
			err = call.DevicesGranted(got, at)
		case len(asked) < webrtcstats.MaxPeers:
			asked[string(c.RequestID)] = webrtcstats.Devices{Audio: wanted(c.Audio), Video: wanted(c.Video)}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted: constraints are written as text, which is empty for a device without any; what is not asked for is left out.
func wanted(raw json.RawMessage) bool {
	s := string(raw)
	return s != "" && s != "null" && s != "false" && s != `"false"`
}

// trackID is the id in {"id":…,"label":…}, older "id:… label:…", both as text.
func trackID(raw json.RawMessage) string {
	s := str(raw)
	var in struct {
		ID string `json:"id"`
	}
	if json.Unmarshal([]byte(s), &in) == nil {
		return in.ID
	}
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "id:"), " label:")
	return strings.TrimSpace(s)
}

func str(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
