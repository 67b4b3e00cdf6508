// Package rtcstats decodes the dumps of rtcstats servers: what a browser's getStats and peer connection events said during a
// call, one JSON array per line.
//
// Two formats are read. jitsi/rtcstats-server writes [method, peer connection or null, value, epoch ms]; its getstats values
// hold what changed since the last ones of the same peer connection. rtcstats/rtcstats writes "RTCStatsDump", a line of
// metadata (fileFormat 3), then [method, peer connection or null, value, …extra, ms since the line before], with shortened
// names. What the statistics mean is webrtcstats' business.
//
// A file is decoded whole or not at all: anything wrong with it gives one *decode.Error with the line and a plain reason
// that quotes nothing of the file.
package rtcstats

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/webrtcstats"
)

// MaxLine bounds the bytes of one line. Lines of real dumps have some ten thousand, of the largest meetings some million.
const MaxLine = 8 << 20

var (
	gzipMagic      = []byte{0x1f, 0x8b}
	byteOrderMark  = []byte("\xef\xbb\xbf")
	successorMagic = []byte("RTCStatsDump")
)

// Decode makes the events of a dump: one call, as the participant saw it whose client recorded the dump.
// data is plain, not gzipped. The error is a *decode.Error.
func Decode(data []byte, opt decode.Options) (*decode.Result, error) {
	if bytes.HasPrefix(data, gzipMagic) {
		return nil, decode.Errorf(0, "the file is compressed with gzip; decompress it first")
	}
	body := bytes.TrimPrefix(data, byteOrderMark)
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, decode.Errorf(0, "the file is empty")
	}
	r := newReader(opt, decode.Digest("file", data))
	parse := r.line
	if bytes.HasPrefix(body, successorMagic) {
		parse = r.successorLine
	}
	if err := eachLine(body, parse); err != nil {
		return nil, err
	}
	result, err := r.call.Result()
	if err != nil {
		return nil, decode.Errorf(0, "%v", err)
	}
	return result, nil
}

// eachLine calls f for every line that is not blank and puts the line's number to an error.
func eachLine(body []byte, f func(line []byte, last bool) error) error {
	for n := 1; len(body) > 0; n++ {
		line, rest, terminated := bytes.Cut(body, []byte{'\n'})
		body = rest
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if len(line) > MaxLine {
			return decode.Errorf(n, "the line is longer than 8 MiB")
		}
		if err := f(line, !terminated); err != nil {
			var placed *decode.Error
			if errors.As(err, &placed) {
				placed.Line = n
				return placed
			}
			return decode.Errorf(n, "%v", err)
		}
	}
	return nil
}

func newReader(opt decode.Options, source string) *reader {
	return &reader{
		call: webrtcstats.NewCall(opt, source, eventpb.SourceKind_SOURCE_KIND_RTCSTATS),
		keep: opt.OrgUser, peers: map[string]*webrtcstats.Peer{},
		delta: webrtcstats.Delta{TimestampKey: "timestamp"},
	}
}

// reader is what is remembered between lines.
type reader struct {
	call  *webrtcstats.Call
	peers map[string]*webrtcstats.Peer
	delta webrtcstats.Delta
	// Reports that all peer connections have at this time.
	reports int
	// live: the call goes on, and narrower bounds hold.
	live bool
	// keep: the importer vouches for an org user, so that their identity is read at all.
	keep bool
	// The successor's format: lines read so far, and the time of the last.
	lines int
	clock float64
}

// entry is one line: what happened to which peer connection, when (ms since the epoch, 0 when not told).
type entry struct {
	method string
	pc     string
	hasPC  bool
	value  json.RawMessage
	at     float64
}

func (r *reader) line(line []byte, last bool) error {
	fields, err := array(line, last)
	if err != nil {
		return err
	}
	e, err := entryOf(fields)
	if err != nil {
		return err
	}
	return r.handle(e)
}

func entryOf(fields []json.RawMessage) (e entry, err error) {
	e.value = fields[2]
	if e.method = str(fields[0]); e.method == "" {
		return e, &decode.Error{Field: "[0]", Reason: "the method must be a string"}
	}
	if e.pc, e.hasPC, err = peerName(fields[1]); err != nil {
		return e, err
	}
	if len(fields) > 3 {
		e.at = webrtcstats.EpochMs(fields[3])
	}
	return e, nil
}

// array splits a line and says in what way it is none of a dump's.
func array(line []byte, last bool) ([]json.RawMessage, error) {
	var fields []json.RawMessage
	switch {
	case line[0] == '{':
		return nil, errors.New("a JSON object where an array [method, peer connection, value, time] was expected; " +
			"this is not an rtcstats dump of a browser (webrtc-internals dumps and backend dumps have objects)")
	case line[0] != '[':
		return nil, errors.New("not a JSON array [method, peer connection, value, time]")
	}
	if err := json.Unmarshal(line, &fields); err != nil {
		if last {
			return nil, errors.New("the last line is cut off or damaged: not a JSON array")
		}
		return nil, errors.New("the line is damaged: not a JSON array")
	}
	if len(fields) < 3 {
		return nil, errors.New("the array must have a method, a peer connection, a value and a time")
	}
	return fields, nil
}

// peerName reads the second field: a name, or null for what belongs to no peer connection.
func peerName(raw json.RawMessage) (name string, ok bool, err error) {
	switch {
	case string(raw) == "null" || string(raw) == `""`:
		return "", false, nil
	case raw[0] == '"':
		name = str(raw)
	case raw[0] == '[' || raw[0] == '{':
		return "", false, &decode.Error{Field: "[1]", Reason: "the peer connection must be a string or null"}
	default:
		name = string(raw)
	}
	const enough = 256
	if len(name) > enough {
		return "", false, &decode.Error{Field: "[1]", Reason: "the name of the peer connection is longer than 256 bytes"}
	}
	return name, true, nil
}

// str is a JSON string's content, or "" for anything else.
func str(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
