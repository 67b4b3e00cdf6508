package rtcstats_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/rtcstats"
	"github.com/anteroom/anteroom/internal/demo"
)

const (
	infoLine   = `["connectionInfo",null,{"userAgent":"","statsFormat":"chrome_standard"},1772359200000]`
	createLine = `["create","PC_0",{},1772359200000]`
	canary     = "Dana Demo-Guest"
)

// statsLine is a getstats line of PC_0 so many seconds into the call, with one received stream.
func statsLine(second, packets, lost int) string {
	return fmt.Sprintf(`["getstats","PC_0",{"timestamp":%[1]d,"IT1":{"type":"inbound-rtp","kind":"audio","ssrc":11,"timestamp":0,`+
		`"packetsReceived":%[2]d,"packetsLost":%[3]d}},%[1]d]`, 1772359200000+second*1000, packets, lost)
}

// good is a whole small dump, and text in place of its third line.
func good(third string) string {
	return strings.Join([]string{infoLine, createLine, third, statsLine(2, 20, 0), `["close","PC_0",null,1772359203000]`}, "\n") + "\n"
}

type badCase struct {
	data   string
	line   int
	reason string
}

// bad are files that must be refused whole, with the line and a part of the reason.
func bad() map[string]badCase {
	cases := map[string]badCase{
		"empty":                {"", 0, "empty"},
		"blank lines":          {"\n \n\t\n", 0, "empty"},
		"byte order mark only": {"\xef\xbb\xbf\n", 0, "empty"},
		"gzip":                 {"\x1f\x8b\x08\x00abc", 0, "gzip"},
		"binary":               {"\x00\x01\x02\xff\xfe\n\x00", 1, "not a JSON array"},
		"text":                 {"hello, " + canary + "\n", 1, "not a JSON array"},
		"last line cut off":    {strings.TrimSuffix(good(statsLine(1, 10, 0)), "00]\n"), 5, "cut off"},
		"no getstats":          {infoLine + "\n" + createLine + "\n", 0, "no getStats"},
		"no getstats of a peer": {
			strings.ReplaceAll(good(`["onsignalingstatechange","PC_0","stable",1772359201000]`), `"getstats"`, `"other"`), 0, "no getStats",
		},
		"webrtc-internals":               {`{"getUserMedia":[],"PeerConnections":{}}`, 1, "webrtc-internals"},
		"webrtc-internals, many lines":   {"{\n\"PeerConnections\": {}\n}", 1, "webrtc-internals"},
		"ACS":                            {`{"records":[{"category":"CallSummary"}]}`, 1, "not an rtcstats dump"},
		"ACS, an array of records":       {`[{"category":"CallSummary"}]`, 1, "the array must have"},
		"long array of records":          {`[{"category":"CallSummary"},{},{},{}]`, 1, "the method must be a string"},
		"a number":                       {"5\n", 1, "not a JSON array"},
		"successor's magic cut off":      {"RTCStatsDum", 1, "not a JSON array"},
		"successor without metadata":     {"RTCStatsDump\n[1]\n", 2, "metadata"},
		"successor of another version":   {"RTCStatsDump\n{\"fileFormat\":2}\n", 2, "fileFormat must be 3"},
		"successor's magic and more":     {"RTCStatsDumpling\n", 1, "first line"},
		"successor without statistics":   {"RTCStatsDump\n{\"fileFormat\":3}\n[39,\"1\",{},1772359200000]\n", 0, "no getStats"},
		"successor's time a text":        {"RTCStatsDump\n{\"fileFormat\":3}\n[\"g\",\"1\",{},\"" + canary + "\"]\n", 3, "number of milliseconds"},
		"successor's statistics untimed": {"RTCStatsDump\n{\"fileFormat\":3}\n[\"g\",\"1\",{},5]\n", 3, "years 2000 to 2099"},
		"chrome_legacy":                  {strings.ReplaceAll(good(statsLine(1, 1, 0)), "chrome_standard", "chrome_legacy"), 1, "legacy goog*"},
		"legacy protocol":                {`["connectionInfo",null,"{\"userAgent\":\"Chrome/70\",\"clientProtocol\":\"3.1_LEGACY\"}",1772359200000]`, 1, "legacy goog*"},
	}
	for _, backend := range []string{"jvb", "jicofo", "jigasi"} {
		cases["backend "+backend] = badCase{
			strings.Replace(good(statsLine(1, 1, 0)), `"userAgent":""`, `"clientType":"`+strings.ToUpper(backend)+`"`, 1), 1, "backend dump (" + backend,
		}
		// Backends send statistics by other methods, so this must be told before any are missed.
		cases["statistics of backend "+backend] = badCase{
			strings.Replace(infoLine, "chrome_standard", backend, 1) + "\n[\"stats\",null,{},1772359201000]\n", 1, "backend dump (" + backend,
		}
	}
	stats := func(value string) string { return `["getstats","PC_0",` + value + `,1772359201000]` }
	at := func(time string) string { return `["getstats","PC_0",{},` + time + `]` }
	thirds := map[string][2]string{ // in place of a good third line: text, reason
		"garbage in the middle":    {canary + " was here", "not a JSON array"},
		"bytes in the middle":      {"\x00\xff\xfe", "not a JSON array"},
		"a cut line in the middle": {`["getstats","PC_0",{"a":`, "damaged"},
		"two lines in one":         {createLine + createLine, "damaged"},
		"an object in the middle":  {`{"a":1}`, "a JSON object"},
		"too short an array":       {`["getstats","PC_0"]`, "must have a method"},
		"method a number":          {`[7,"PC_0",{},1772359201000]`, "method must be a string"},
		"method empty":             {`["","PC_0",{},1772359201000]`, "method must be a string"},
		"peer an object":           {`["getstats",{},{},1772359201000]`, "string or null"},
		"peer's name too long":     {`["getstats","` + strings.Repeat("p", 300) + `",{},1772359201000]`, "longer than 256"},
		"statistics a text":        {stats(`"` + canary + `"`), "not an object of reports"},
		"statistics an array":      {stats(`[]`), "not an object of reports"},
		"statistics null":          {stats(`null`), "not an object of reports"},
		"goog*":                    {stats(`{"ssrc_1_recv":{"type":"ssrc","googJitterReceived":"1"}}`), "legacy goog*"},
		"googCandidatePair":        {stats(`{"Conn":{"type":"googCandidatePair"}}`), "legacy goog*"},
		"deep nesting":             {stats(strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000)), "damaged"},
		"deep arrays":              {strings.Repeat("[", 1<<20), "damaged"},
		"NaN":                      {stats(`{"IT1":{"packetsReceived":NaN}}`), "damaged"},
		"time NaN":                 {at("NaN"), "damaged"},
		"time missing":             {`["getstats","PC_0",{}]`, "years 2000 to 2099"},
		"time null":                {at("null"), "years 2000 to 2099"},
		"time zero":                {at("0"), "years 2000 to 2099"},
		"time of 1970":             {at("1000"), "years 2000 to 2099"},
		"time of 1999":             {at("946684799999"), "years 2000 to 2099"},
		"time of 2300":             {at("10413792000000"), "years 2000 to 2099"},
		"time in seconds":          {at("1772359201"), "years 2000 to 2099"},
		"time huge":                {at("1e300"), "years 2000 to 2099"},
		"time beyond a float":      {at("1e999"), "years 2000 to 2099"},
		"time negative":            {at("-1772359201000"), "years 2000 to 2099"},
		"time a text":              {at(`"` + canary + `"`), "years 2000 to 2099"},
		"time an object":           {at(`{}`), "years 2000 to 2099"},
		"connectionInfo a number":  {`["connectionInfo",null,5,1772359201000]`, "connectionInfo"},
		"very long line":           {stats(`{"x":"` + strings.Repeat("x", rtcstats.MaxLine) + `"}`), "longer than 8 MiB"},
	}
	for name, third := range thirds {
		cases[name] = badCase{good(third[0]), 3, third[1]}
	}
	return cases
}

func TestBadInput(t *testing.T) {
	if result := mustDecode(t, []byte(good(statsLine(1, 10, 0)))); len(ended(result)) != 1 {
		t.Fatal("the good dump that is damaged below has no stream")
	}
	for name, test := range bad() {
		t.Run(name, func(t *testing.T) { refused(t, []byte(test.data), test.line, test.reason) })
	}
}

// refused holds that a file gives one placed error that quotes nothing of it, and no result.
func refused(t *testing.T, data []byte, line int, reason string) {
	t.Helper()
	result, err := rtcstats.Decode(data, options(t))
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

// Statistics that were there after the one before by more than a call can last come from a broken clock or two files.
func TestTimeJumps(t *testing.T) {
	for _, days := range []int{2, 8, 800, -8, -800} { // a machine may sleep for days, but clocks are not set back as far
		refused(t, []byte(good(statsLine(days*86400, 10, 0))), 4, "differs by days")
	}
	mustDecode(t, []byte(good(statsLine(-2*86400, 10, 0))))
}

// Wherever a real dump is cut off within a line, that line is named.
func TestCutOffAnywhere(t *testing.T) {
	for _, file := range demo.Files() {
		for at := 1; at < len(file.Data); at += 1 + len(file.Data)/50 {
			cut := file.Data[:at]
			if slices.Contains([]byte("\n]"), cut[at-1]) || file.Data[at] == '\n' {
				continue
			}
			refused(t, cut, 1+bytes.Count(cut, []byte("\n")), "")
		}
	}
}

// Tools write milliseconds, microseconds or nanoseconds; they lie so far apart that the unit is certain.
func TestUnitsOfTime(t *testing.T) {
	want := mustDecode(t, []byte(good(statsLine(1, 10, 0))))
	micro := mustDecode(t, []byte(strings.ReplaceAll(good(statsLine(1, 10, 0)), "000]", "000000]")))
	for i := range want.Events {
		if want.Events[i].ObservedAtUs != micro.Events[i].ObservedAtUs {
			t.Errorf("event %d at %d µs, by microseconds at %d", i, want.Events[i].ObservedAtUs, micro.Events[i].ObservedAtUs)
		}
	}
}

// Numbers that no counter can have are unknown, not zero, and no reason to refuse the file.
func TestHugeNumbers(t *testing.T) {
	for _, n := range []string{"1e300", "1e999", "-5", "-1e300", `"NaN"`, `"Infinity"`, "null", "true", `{"a":1}`, "[1]", `""`} {
		third := strings.Replace(statsLine(1, 10, 3), `"packetsLost"`, `"bytesReceived":`+n+`,"jitter":`+n+`,"packetsLost"`, 1)
		s := ended(mustDecode(t, []byte(good(third))))[0]
		if s.GetPackets() != 20 || s.GetPacketsLost() != 0 {
			t.Errorf("%s: %d packets, %d lost; want 20 and 0", n, s.GetPackets(), s.GetPacketsLost())
		}
		if n != "true" && (s.Bytes != nil || s.JitterMsAvg != nil) {
			t.Errorf("%s: bytes %v and jitter %v are known", n, s.Bytes, s.JitterMsAvg)
		}
	}
	// Restarts without end add up to no more than fits.
	var b strings.Builder
	b.WriteString(createLine + "\n")
	for i := range 5000 {
		b.WriteString(statsLine(i+1, (1<<53)*(i%2), -(1<<53)*(i%2)) + "\n")
	}
	if s := ended(mustDecode(t, []byte(b.String())))[0]; s.GetPackets() != 1<<62 {
		t.Errorf("%d packets, want the most that is told", s.GetPackets())
	}
}

// Too much of anything is refused, at the line where it became too much.
func TestTooMuch(t *testing.T) {
	var peers, streams, all strings.Builder
	for i := range 1025 {
		fmt.Fprintf(&peers, "[\"getstats\",\"PC_%d\",{},1772359201000]\n", i)
	}
	report := func(b *strings.Builder, n int, text string) {
		for i := range n {
			b.WriteString(map[bool]string{true: ",", false: ""}[i > 0] + `"r` + strconv.Itoa(i) + `":` + text)
		}
		b.WriteString("},1772359201000]\n")
	}
	streams.WriteString(`["getstats","PC_0",{`)
	report(&streams, 4097, `{"type":"inbound-rtp"}`)
	one := strings.Builder{}
	one.WriteString(`["getstats","PC_0",{`)
	report(&one, 20001, "{}")
	for pc := range 6 {
		fmt.Fprintf(&all, `["getstats","PC_%d",{`, pc)
		report(&all, 19000, "{}")
	}
	refused(t, []byte(peers.String()), 1025, "1024 peer connections")
	refused(t, []byte(streams.String()), 1, "4096 streams")
	refused(t, []byte(one.String()), 1, "20000 reports")
	refused(t, []byte(all.String()), 6, "100000 of all")
}

// A file that ends without a line feed, with Windows line ends, a byte order mark, or blank lines is the same call otherwise.
func TestLineEnds(t *testing.T) {
	plain := good(statsLine(1, 10, 0))
	want := ended(mustDecode(t, []byte(plain)))[0]
	for name, data := range map[string]string{
		"no last line feed": strings.TrimSpace(plain), "CR LF": strings.ReplaceAll(plain, "\n", "\r\n"),
		"byte order mark": "\xef\xbb\xbf" + plain, "blank lines": "\n" + strings.ReplaceAll(plain, "\n", "\n\n"),
	} {
		got := proto.CloneOf(ended(mustDecode(t, []byte(data)))[0])
		got.StreamId, got.ParticipantId = want.StreamId, want.ParticipantId
		if !proto.Equal(want, got) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
