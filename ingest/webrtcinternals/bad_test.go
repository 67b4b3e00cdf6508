package webrtcinternals_test

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/webrtcinternals"
)

// peer wraps the text of one peer connection's members.
func peer(members string) string { return `{"PeerConnections":{"1":{` + members + `}},"UserAgent":""}` }

// stat wraps the text of one series of a received stream.
func stat(members string) string {
	return peer(`"updateLog":[],"stats":{"IT1-packetsReceived":{"statsType":"inbound-rtp",` + members + `}}`)
}

const (
	goodTimes = `"startTime":"2026-03-01T10:00:00.000Z","endTime":"2026-03-01T10:00:02.000Z"`
	// What Chromium's page saved before the standard: report ids like ssrc_123_send, types ssrc, googCandidatePair, VideoBwe.
	legacy = `{"getUserMedia":[],"PeerConnections":{"1-1":{"stats":{` +
		`"ssrc_123_recv-packetsReceived":{"startTime":"2019-03-01T10:00:00.000Z","endTime":"2019-03-01T10:00:01.000Z","statsType":"ssrc","values":"[1,2]"},` +
		`"Conn-audio-1-0-googRtt":{"startTime":"2019-03-01T10:00:00.000Z","endTime":"2019-03-01T10:00:01.000Z","statsType":"googCandidatePair","values":"[1,2]"}` +
		`},"updateLog":[],"url":""}},"UserAgent":""}`
	acsMessage = `{"records":[{"time":"2026-03-01T10:00:00.000Z","operationName":"CallSummary","category":"CallSummary","properties":{"identifier":"x"}}]}`
	// A line of an rtcstats dump.
	rtcstatsLine = `["connectionInfo",null,{"userAgent":"x"},1772359200000]`
	canary       = "Dana Demo-Guest"
)

// bad are files that must be refused whole, with the line where the format has lines, and a part of the reason.
func bad() map[string]struct {
	data   string
	line   int
	reason string
} {
	return map[string]struct {
		data   string
		line   int
		reason string
	}{
		"empty":                    {"", 0, "empty"},
		"blanks only":              {" \n\t\n", 0, "empty"},
		"byte order mark only":     {"\xef\xbb\xbf", 0, "empty"},
		"gzip":                     {"\x1f\x8b\x08\x00abc", 0, "gzip"},
		"binary":                   {"\x00\x01\x02\xff\xfe", 1, "not a JSON object"},
		"not JSON":                 {"hello, " + canary, 1, "not a JSON object"},
		"cut off":                  {peer(`"stats":{`)[:50], 1, "cut off"},
		"cut off in a later line":  {"{\n\"PeerConnections\":\n{", 3, "cut off"},
		"garbage in the middle":    {"{\n\"PeerConnections\":{},\n" + canary + "\n}", 3, "damaged"},
		"NaN":                      {"{\n\"PeerConnections\":{\"1\":NaN}}", 2, "damaged"},
		"more after the end":       {peer("") + "\n{}", 2, "damaged"},
		"array":                    {`[]`, 1, "not a JSON object"},
		"deep nesting":             {`{"PeerConnections":` + strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20001), 1, "damaged"},
		"deep nesting of arrays":   {`{"PeerConnections":{},"x":` + strings.Repeat("[", 1<<20), 1, "damaged"},
		"rtcstats":                 {rtcstatsLine + "\n" + rtcstatsLine, 1, "rtcstats"},
		"rtcstats successor":       {"RTCStatsDump\n{\"fileFormat\":3}\n", 1, "not a JSON object"},
		"ACS":                      {acsMessage, 0, "not a dump of webrtc-internals"},
		"empty object":             {`{}`, 0, "not a dump of webrtc-internals"},
		"PeerConnections null":     {`{"PeerConnections":null}`, 0, "not a dump of webrtc-internals"},
		"PeerConnections an array": {`{"PeerConnections":[]}`, 0, "shape"},
		"PeerConnections a text":   {`{"PeerConnections":"` + canary + `"}`, 0, "shape"},
		"no peer connection":       {`{"PeerConnections":{}}`, 0, "no statistics"},
		"peer connection a number": {`{"PeerConnections":{"1":5}}`, 0, "shape"},
		"peer connection null":     {`{"PeerConnections":{"1":null}}`, 0, "shape"},
		"no statistics":            {peer(`"stats":{},"updateLog":[]`), 0, "no statistics"},
		"statistics an array":      {peer(`"stats":[]`), 0, "shape"},
		"series a number":          {peer(`"stats":{"a-ssrc":5}`), 0, "shape"},
		"series null":              {peer(`"stats":{"a-ssrc":null}`), 0, "shape"},
		"log an object":            {peer(`"stats":{},"updateLog":{}`), 0, "shape"},
		"log of numbers":           {peer(`"stats":{},"updateLog":[1]`), 0, "shape"},
		"captures an object":       {`{"getUserMedia":{},"PeerConnections":{}}`, 0, "shape"},
		"user agent a number":      {`{"PeerConnections":{},"UserAgent":7}`, 1, "kind"},
		"values missing":           {stat(goodTimes), 0, "not a JSON array"},
		"values no JSON":           {stat(goodTimes + `,"values":"[1,2,` + canary + `]"`), 0, "not a JSON array"},
		"values NaN":               {stat(goodTimes + `,"values":"[1,NaN,3]"`), 0, "not a JSON array"},
		"values cut off":           {stat(goodTimes + `,"values":"[1,2"`), 0, "not a JSON array"},
		"series too long":          {stat(goodTimes + `,"values":"[` + strings.Repeat("1,", 2<<20) + `1]"`), 0, "longer than 4 MiB"},
		"times missing":            {stat(`"values":"[1,2,3]"`), 0, "startTime"},
		"times no times":           {stat(`"startTime":"` + canary + `","endTime":"x","values":"[1,2,3]"`), 0, "startTime"},
		"times of 1970":            {stat(`"startTime":"1970-01-01T00:00:01Z","endTime":"1970-01-01T00:00:03Z","values":"[1,2,3]"`), 0, "startTime"},
		"times of 2300":            {stat(`"startTime":"2300-01-01T00:00:01Z","endTime":"2300-01-01T00:00:03Z","values":"[1,2,3]"`), 0, "startTime"},
		"times the wrong way":      {stat(`"startTime":"2026-03-01T10:00:02Z","endTime":"2026-03-01T10:00:01Z","values":"[1,2,3]"`), 0, "startTime"},
		"legacy":                   {legacy, 0, "legacy goog*"},
		"series years apart": {peer(`"stats":{"a-ssrc":{"statsType":"inbound-rtp","startTime":"2001-03-01T10:00:00Z","endTime":"2001-03-01T10:00:01Z","values":"[1,1]"},` +
			`"b-ssrc":{"statsType":"inbound-rtp",` + goodTimes + `,"values":"[2,2,2]"}}`), 0, "far apart"},
	}
}

func TestBadInput(t *testing.T) {
	for name, test := range bad() {
		t.Run(name, func(t *testing.T) {
			refused(t, []byte(test.data), test.line, test.reason)
		})
	}
}

// refused holds that a file gives one placed error that quotes nothing of it, and no result.
func refused(t *testing.T, data []byte, line int, reason string) {
	t.Helper()
	result, err := webrtcinternals.Decode(data, options(t))
	if result != nil {
		t.Error("a bad file has a result")
	}
	var placed *decode.Error
	if !errors.As(err, &placed) {
		t.Fatalf("error %v is no *decode.Error", err)
	}
	if placed.Line != line || !strings.Contains(placed.Reason, reason) {
		t.Errorf("error is %q (line %d); want line %d and %q", placed, placed.Line, line, reason)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("error %q quotes the file", err)
	}
}

// Wherever a real dump is cut off, it is refused, at its only line.
func TestCutOffAnywhere(t *testing.T) {
	data := recorded(t)
	for at := 1; at < len(data); at += 1 + len(data)/200 {
		refused(t, data[:at], 1, "cut off")
	}
	indented := bytes.ReplaceAll(data, []byte(`,"`), []byte(",\n\""))
	refused(t, indented[:len(indented)-1], 1+bytes.Count(indented, []byte("\n")), "cut off")
}

// Numbers that no counter can have are unknown, not zero, and no reason to refuse the file.
func TestHugeNumbers(t *testing.T) {
	series := inbound([]any{10, 20, 30}, []any{0, 1, 2})
	for _, property := range []string{"bytesReceived", "jitter", "framesDecoded", "nackCount"} {
		series["IT1-"+property] = row("inbound-rtp", 0, 1e300, 1e300, -1e300)
	}
	result := mustDecode(t, made{series: series}.bytes(t))
	if got, want := one(t, result), "inbound audio 11: 30 packets, 2 lost, from 10:00:00 to 10:00:02"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if s := ended(result)[0]; s.Bytes != nil || s.JitterMsAvg != nil {
		t.Errorf("bytes %v and jitter %v are known", s.Bytes, s.JitterMsAvg)
	}
}

// Too much of anything is refused rather than held in memory.
func TestTooMuch(t *testing.T) {
	many := func(n int, f func(b *strings.Builder, i int)) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			f(&b, i)
		}
		return b.String()
	}
	number := func(b *strings.Builder, i int) { b.WriteString(strconv.Itoa(i)) }
	tests := map[string]struct{ data, reason string }{
		"peer connections": {`{"PeerConnections":{` + many(1025, func(b *strings.Builder, i int) {
			b.WriteByte('"')
			number(b, i)
			b.WriteString(`":{}`)
		}) + `}}`, "1024 peer connections"},
		"streams": {peer(`"stats":{` + many(4097, func(b *strings.Builder, i int) {
			b.WriteByte('"')
			number(b, i)
			b.WriteString(`-packetsReceived":{"statsType":"inbound-rtp",` + goodTimes + `,"values":"[1,2]"}`)
		}) + `}`), "4096 streams"},
		"log entries": {peer(`"stats":{},"updateLog":[` + many(1<<17+1, func(b *strings.Builder, _ int) { b.WriteString(`{}`) }) + `]`), "more peer connections, series, values or events"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { refused(t, []byte(test.data), 0, test.reason) })
	}
}
