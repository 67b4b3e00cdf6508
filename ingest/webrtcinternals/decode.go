// Package webrtcinternals decodes the dumps that Chromium's chrome://webrtc-internals page saves.
//
// A dump is one JSON object. Each peer connection has series, "<report id>-<property>", of values sampled about once a second
// (the page keeps the newest thousand), and a log of its events. The reports of each second are put together again from the
// series and handed to webrtcstats, which owns what they mean.
//
// A file is decoded whole or not at all: anything wrong with it gives one *decode.Error with the place and a plain reason
// that quotes nothing of the file.
package webrtcinternals

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/webrtcstats"
)

// dump is the file.
type dump struct {
	GetUserMedia    json.RawMessage `json:"getUserMedia"`
	PeerConnections json.RawMessage `json:"PeerConnections"`
	UserAgent       string          `json:"UserAgent"`
}

// connection is one peer connection of it.
type connection struct {
	Stats     json.RawMessage `json:"stats"`
	UpdateLog json.RawMessage `json:"updateLog"`
}

// Decode makes the events of a dump: one call, as the participant saw it whose browser saved the dump.
// data is plain, not gzipped. The error is a *decode.Error.
func Decode(data []byte, opt decode.Options) (*decode.Result, error) {
	d, err := parse(data)
	if err != nil {
		return nil, err
	}
	call := webrtcstats.NewCall(opt, decode.Digest("file", data), eventpb.SourceKind_SOURCE_KIND_WEBRTC_INTERNALS)
	call.Client(d.UserAgent)
	peers := map[string]json.RawMessage{}
	err = members(d.PeerConnections, func(id string, raw json.RawMessage) error {
		if peers[id] = bytes.Clone(raw); len(peers) > webrtcstats.MaxPeers {
			return webrtcstats.ErrTooManyPeers
		}
		return nil
	})
	if err != nil {
		return nil, asError("PeerConnections", err)
	}
	for _, id := range slices.Sorted(maps.Keys(peers)) {
		if err := decodeConnection(call, id, peers[id]); err != nil {
			return nil, asError("PeerConnections", err)
		}
	}
	asked, err := elements[capture](d.GetUserMedia, maxCaptures)
	if err == nil {
		err = captures(call, asked)
	}
	if err != nil {
		return nil, asError("getUserMedia", err)
	}
	result, err := call.Result()
	if err != nil {
		return nil, asError("", err)
	}
	return result, nil
}

func parse(data []byte) (*dump, error) {
	body := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	switch {
	case len(body) == 0:
		return nil, decode.Errorf(0, "the file is empty")
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		return nil, decode.Errorf(0, "the file is compressed with gzip; decompress it first")
	case body[0] != '{':
		return nil, decode.Errorf(1, "not a JSON object; this is not a dump of webrtc-internals (rtcstats dumps have a JSON array per line)")
	}
	d := new(dump)
	if err := json.Unmarshal(body, d); err != nil {
		return nil, jsonError(body, err)
	}
	if absent(d.PeerConnections) {
		return nil, &decode.Error{Field: "PeerConnections", Reason: "is missing; this is not a dump of webrtc-internals"}
	}
	return d, nil
}

// jsonError says where the JSON ends to be what was expected.
func jsonError(body []byte, err error) *decode.Error {
	line := func(offset int64) int {
		offset = min(max(offset, 0), int64(len(body)))
		return 1 + bytes.Count(body[:offset], []byte{'\n'})
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(body)):
		return decode.Errorf(line(syntax.Offset), "the file is cut off: the JSON object does not end")
	case errors.As(err, &syntax):
		return decode.Errorf(line(syntax.Offset), "the file is damaged: not valid JSON")
	case errors.As(err, &kind):
		return decode.Errorf(line(kind.Offset), "a value is not of the kind that webrtc-internals writes")
	}
	return decode.Errorf(0, "the file is damaged: not valid JSON")
}

func asError(field string, err error) *decode.Error {
	var placed *decode.Error
	if errors.As(err, &placed) {
		return placed
	}
	if errors.Is(err, webrtcstats.ErrNoStatistics) {
		return decode.Errorf(0, "no statistics in this file: no peer connection has any")
	}
	return &decode.Error{Field: field, Reason: err.Error()}
}

func decodeConnection(call *webrtcstats.Call, id string, raw json.RawMessage) error {
	var c connection
	if raw[0] != '{' || json.Unmarshal(raw, &c) != nil {
		return errShape
	}
	replay, err := newReplay(c.Stats)
	if err != nil {
		return err
	}
	log, err := elements[update](c.UpdateLog, maxUpdates)
	if err != nil {
		return err
	}
	if err := updates(call, id, log, replay.start); err != nil {
		return err
	}
	return replay.run(func(reports map[string]*webrtcstats.Report, at float64) error {
		return call.Snapshot(id, reports, at)
	})
}
