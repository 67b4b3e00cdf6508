package collect_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/anteroom/anteroom/collect"
	"github.com/anteroom/anteroom/store"
)

func asClose(err error, into *websocket.CloseError) bool { return errors.As(err, into) }

// begin is a moment shortly before now, at the start of an interval of reports.
func begin() time.Time { return time.Now().Add(-5 * time.Minute).Truncate(10 * time.Second) }

// talk sends so many seconds of statistics, one a second, and returns what was sent.
func talk(c *client, from time.Time, first, seconds int) []string {
	c.r.t.Helper()
	var sent []string
	for i := first; i < first+seconds; i++ {
		sent = append(sent, c.entry("getstats", "PC_0", audio(50*i, i, i == 0), from.Add(time.Duration(i)*time.Second+100*time.Millisecond)))
	}
	return sent
}

// What a client has said is in the tables while it still talks, interval by interval, and it is told how far.
func TestJitsiClient(t *testing.T) {
	r := newRig(t, nil)
	from := begin()
	c, first := r.jitsi("good-1", "session-1", false)
	if first != 0 {
		t.Errorf("a new session begins at %d", first)
	}
	c.send(`{"statsSessionId":"session-1","type":"identity","data":["identity",null,{"displayName":"Zebulon Guest","userId":"zeb@example.org"},1,1]}`)
	c.number = 1
	c.entry("create", "PC_0", `{"iceServers":[]}`, from.Add(time.Millisecond))
	c.entry("oniceconnectionstatechange", "PC_0", `"connected"`, from.Add(50*time.Millisecond))
	c.send(`{"statsSessionId":"session-1","type":"keepalive"}`)
	talk(c, from, 0, 11)
	// The 14th message began an interval: those before it are safe.
	if got := c.sn(); got.Value != 13 {
		t.Errorf("acknowledged %+v, want 13", got)
	}
	record := r.eventually(c.call, "samples while it goes on", func(rec *store.Record) bool {
		return len(rec.Streams) == 1 && *rec.Streams[0].Packets == 450 && rec.Participants[0].Identity != 0
	})
	if record.EndedAt != nil || !record.Streams[0].Partial || record.Participants[0].Identity != store.Guest || record.Participants[0].ClientFamily != "Chrome" || record.Org != "contoso" {
		t.Errorf("record %+v", record)
	}
	talk(c, from, 11, 5)
	c.entry("close", "PC_0", `null`, from.Add(17*time.Second))
	if err := c.ws.Close(3001, ""); err != nil {
		t.Fatal(err)
	}
	record = r.eventually(c.call, "the end", func(rec *store.Record) bool { return rec.EndedAt != nil && !rec.Streams[0].Partial })
	if s := record.Streams[0]; *s.Packets != 750 || *s.PacketsLost != 15 || *s.JitterMsAvg != 16 {
		t.Errorf("summary %+v", s)
	}
	r.await("the session's end", func() bool { return r.metric("anteroom_collect_sessions", "") == 0 })
	if text := fmt.Sprintf("%+v %s", record, r.log); strings.Contains(text, "Zebulon") || strings.Contains(text, "zeb@") || strings.Contains(text, "sam-4711") || strings.Contains(text, "good-1") {
		t.Errorf("what the client said of its user, or its token, is in %s", text)
	}
}

// A client that was cut off goes on where it was: what it sends again counts once, and what it hadn't sent isn't missing.
func TestJitsiClientComesBack(t *testing.T) {
	r := newRig(t, nil)
	from := begin()
	c, _ := r.jitsi("good-1", "session-1", false)
	sent := talk(c, from, 0, 5)
	_ = c.ws.CloseNow()
	r.await("the first connection's messages", func() bool { return r.metric("anteroom_collect_messages_total", "") == 5 })
	// From another connection id, or of another client, it is nobody's.
	for _, path := range []string{"/good-1?statsSessionId=session-2", "/good-1"} {
		if code, reason := closed(t, r.dial(path, "3.1_STANDARD")); code != 3002 || !strings.HasPrefix(reason, "token_replayed") {
			t.Errorf("%s: closed with %d %s", path, code, reason)
		}
	}
	back, first := r.jitsi("good-1", "session-1", true)
	if back.call != c.call || first != 5 {
		t.Errorf("call %s goes on from %d, want %s from 5", back.call, first, c.call)
	}
	for _, again := range sent {
		back.send(again)
	}
	back.number = 5
	talk(back, from, 5, 5)
	// Before the server has seen that the connection is gone, the client is here again.
	third, first := r.jitsi("good-1", "session-1", true)
	third.number = max(first, 5)
	talk(third, from, third.number, 12-third.number)
	_ = third.ws.Close(3001, "")
	record := r.eventually(c.call, "the end", func(rec *store.Record) bool { return rec.EndedAt != nil && !rec.Streams[0].Partial })
	if *record.Streams[0].Packets != 550 || len(record.Participants) != 1 || len(record.Streams) != 1 {
		t.Errorf("record %+v, %d packets", record, *record.Streams[0].Packets)
	}
	if got := r.metric("anteroom_collect_gaps_total", ""); got != 0 {
		t.Errorf("%v messages are missing", got)
	}
	if code, reason := closed(t, r.dial("/good-1?statsSessionId=session-1", "3.1_STANDARD")); code != 3002 || !strings.HasPrefix(reason, "token_replayed") {
		t.Errorf("after the end: closed with %d %s", code, reason)
	}
}

// Whoever breaks off and doesn't come back has left when they were last heard of, and it is told so.
func TestClientThatBreaksOff(t *testing.T) {
	r := newRig(t, nil)
	c, _ := r.jitsi("good-1", "session-1", false)
	talk(c, begin(), 0, 5)
	r.await("messages", func() bool { return r.metric("anteroom_collect_messages_total", "") == 5 })
	_ = c.ws.CloseNow()
	r.eventually(c.call, "what was said", func(rec *store.Record) bool { return len(rec.Streams) == 1 && rec.Streams[0].Partial })
	r.forward(collect.DefaultConfig().Hold + time.Second)
	record := r.eventually(c.call, "the summary", func(rec *store.Record) bool { return !rec.Streams[0].Partial })
	if record.EndedAt == nil || record.EndReason != "broken_off" || record.Participants[0].LeftAt == nil || record.Participants[0].ResultCategory != "" || *record.Streams[0].Packets != 200 {
		t.Errorf("record %+v", record)
	}
	r.await("its end", func() bool { return r.metric("anteroom_collect_ended_total", "broken_off") == 1 })
}

// The service stops: what was said is kept, and why the call ended there.
func TestStop(t *testing.T) {
	r := newRig(t, nil)
	c, _ := r.jitsi("good-1", "session-1", false)
	talk(c, begin(), 0, 5)
	r.await("messages", func() bool { return r.metric("anteroom_collect_messages_total", "") == 5 })
	r.stop()
	if code, _ := closed(t, c.ws); code != websocket.StatusServiceRestart {
		t.Errorf("closed with %d", code)
	}
	record := r.eventually(c.call, "the summary", func(rec *store.Record) bool { return len(rec.Streams) == 1 && !rec.Streams[0].Partial })
	if record.EndedAt == nil || record.EndReason != "stopping" || *record.Streams[0].Packets != 200 {
		t.Errorf("record %+v", record)
	}
	if code, _ := closed(t, r.dial("/good-2?statsSessionId=x", "3.1_STANDARD")); code != websocket.StatusTryAgainLater {
		t.Errorf("afterwards closed with %d", code)
	}
}

func TestSuccessorClient(t *testing.T) {
	r := newRig(t, nil)
	from := begin()
	ws := r.dial("?rtcstats-token=good-1", "rtcstats#5.0")
	c := &client{r: r, ws: ws}
	c.call = c.callID()
	c.send(fmt.Sprintf(`["create",null,{"hardwareConcurrency":8},%d]`, from.UnixMilli()))
	c.send(`[39,"1",{"iceServers":[]},100]`)
	c.send(`[25,"1","connected",100]`)
	c.send(`["g","1",{"1":{"type":1,"10":7,"11":"audio","14":0,"15":0,"16":0.016,"41":0}},0]`)
	for i := 1; i <= 12; i++ {
		c.send(fmt.Sprintf(`["g","1",{"1":{"14":%d,"15":%d,"41":%d}},1000]`, 50*i, i, 5000*i))
	}
	r.eventually(c.call, "samples while it goes on", func(rec *store.Record) bool { return len(rec.Streams) == 1 && *rec.Streams[0].Packets > 0 })
	_ = ws.Close(websocket.StatusNormalClosure, "")
	record := r.eventually(c.call, "the end", func(rec *store.Record) bool { return rec.EndedAt != nil && !rec.Streams[0].Partial })
	if s := record.Streams[0]; *s.Packets != 600 || *s.PacketsLost != 12 {
		t.Errorf("summary %+v", s)
	}
}

func TestBadConnections(t *testing.T) {
	r := newRig(t, func(c *collect.Config, _ *collect.Deps) { c.MaxMessageBytes = 4096 })
	for name, c := range map[string]struct {
		path, protocol string
		header         []string
		code           websocket.StatusCode
		reason         string
	}{
		"no token":             {"?statsSessionId=x", "3.1_STANDARD", nil, 3002, "token_missing"},
		"bad token":            {"/bad?statsSessionId=x", "3.1_STANDARD", nil, 3002, "token_signature_invalid"},
		"bad token, successor": {"?rtcstats-token=bad", "rtcstats#5.0", nil, 1008, "token_signature_invalid"},
		"unknown resource":     {"/far-1?statsSessionId=x", "3.1_STANDARD", nil, 3002, "resource_not_allowed"},
		"another site":         {"/good-o?statsSessionId=x", "3.1_STANDARD", []string{"Origin", "https://evil.example"}, 3002, "cross_origin"},
		"legacy":               {"/good-l?statsSessionId=x", "3.1_LEGACY", nil, 3002, "unsupported format"},
		"another protocol":     {"/good-p", "soap", nil, 1002, "offer"},
	} {
		code, reason := closed(t, r.dial(c.path, c.protocol, c.header...))
		if code != c.code || !strings.HasPrefix(reason, c.reason) {
			t.Errorf("%s: closed with %d %q", name, code, reason)
		}
	}
	c := &client{r: r, ws: r.dial("/good-ours?statsSessionId=x", "3.1_STANDARD", "Origin", "https://portal.example")}
	if c.sn().State != "initial" {
		t.Error("a page of the resource is refused")
	}
}

// A message that can't be understood ends the session, with the place; what came before it stays.
func TestBadMessages(t *testing.T) {
	r := newRig(t, func(c *collect.Config, _ *collect.Deps) { c.MaxMessageBytes = 4096 })
	n := 0
	for name, c := range map[string]struct {
		message string
		code    websocket.StatusCode
		reason  string
	}{
		"no JSON":       {`x`, 3002, "the message is not a JSON object"},
		"unknown type":  {`{"type":"weather"}`, 3002, "type: must be"},
		"no data":       {`{"type":"stats-entry"}`, 3002, "data: is missing"},
		"no entry":      {`{"type":"stats-entry","data":"7"}`, 3002, "not a JSON array"},
		"no method":     {`{"type":"stats-entry","data":"[1,null,{},1,9]"}`, 3002, "[0]: the method"},
		"no statistics": {`{"type":"stats-entry","data":"[\"getstats\",\"PC_0\",7,` + fmt.Sprint(time.Now().UnixMilli()) + `,9]"}`, 3002, "the statistics are not an object"},
		"wrong clock":   {`{"type":"stats-entry","data":"[\"getstats\",\"PC_0\",{},1000000000000,9]"}`, 3002, "[3]: the time"},
		"too large":     {`{"type":"stats-entry","data":"` + strings.Repeat("x", 5000) + `"}`, websocket.StatusMessageTooBig, ""},
	} {
		n++
		ok, _ := r.jitsi(fmt.Sprint("good-", n), "session", false)
		talk(ok, begin(), 0, 3)
		ok.send(c.message)
		code, reason := closed(t, ok.ws)
		if code != c.code || !strings.HasPrefix(reason, c.reason) {
			t.Errorf("%s: closed with %d %q", name, code, reason)
		}
		record := r.eventually(ok.call, name, func(rec *store.Record) bool { return len(rec.Streams) == 1 && !rec.Streams[0].Partial })
		if record.EndedAt == nil || record.EndReason != "invalid" {
			t.Errorf("%s: the call has no end, or not that", name)
		}
	}
	r.await("the ends", func() bool { return r.metric("anteroom_collect_ended_total", "invalid") == float64(n) })
}

func TestLimits(t *testing.T) {
	r := newRig(t, func(c *collect.Config, _ *collect.Deps) { c.MaxSessions, c.MaxDuration = 1, time.Hour })
	c, _ := r.jitsi("good-1", "session-1", false)
	if code, reason := closed(t, r.dial("/good-2?statsSessionId=x", "3.1_STANDARD")); code != websocket.StatusTryAgainLater || !strings.HasPrefix(reason, "too_many_sessions") {
		t.Errorf("closed with %d %s", code, reason)
	}
	talk(c, begin(), 0, 5)
	r.await("messages", func() bool { return r.metric("anteroom_collect_messages_total", "") == 5 })
	r.forward(2 * time.Hour)
	if code, reason := closed(t, c.ws); code != 3002 || reason != "too_long" {
		t.Errorf("closed with %d %s", code, reason)
	}
	record := r.eventually(c.call, "the summary", func(rec *store.Record) bool { return len(rec.Streams) == 1 && !rec.Streams[0].Partial })
	if record.EndedAt == nil || record.EndReason != "too_long" {
		t.Errorf("record %+v", record)
	}
	r.await("room", func() bool { return r.metric("anteroom_collect_sessions", "") == 0 })
	r.jitsi("good-2", "session-2", false) // The token was not used up.
}
