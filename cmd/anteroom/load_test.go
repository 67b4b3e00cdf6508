package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/load"
	"github.com/anteroom/anteroom/media/protocol"
)

// load runs the subcommand with --json, and fails the test unless it ends well.
func (m *room) load(t *testing.T, args ...string) load.Result {
	t.Helper()
	var stdout, stderr buffer
	args = append([]string{"load", "--json", "--meeting", m.joins, "--data", m.house.rig.data, "--org", m.house.org}, args...)
	if code := run(t.Context(), args, nil, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	var got load.Result
	if err := json.Unmarshal([]byte(stdout.String()), &got); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	return got
}

func TestLoad_UsersAndGuestsReceiveWhatIsPublished(t *testing.T) {
	m := newHouse(t, usualRig.get(t), nil).meeting(nil)
	got := m.load(t, "--publishers", "2", "--subscribers", "3", "--guests", "2", "--duration", "2s")
	if got.Joined != 5 || len(got.Refused) != 0 {
		t.Errorf("%d of 5 joined, refused %v", got.Joined, got.Refused)
	}
	if got.Streams != 12 || got.StreamsWanted != 12 {
		t.Errorf("%d of %d streams were delivered, want audio and video of 2 to each of 3", got.Streams, got.StreamsWanted)
	}
	if got.Delivered == 0 || got.Sent == 0 {
		t.Errorf("%d packets sent, %d delivered", got.Sent, got.Delivered)
	}
	if got.ServerCPUSeconds == nil {
		t.Error("the server's processor time is unknown, on this very machine")
	}
	// Everybody left: the session ends with the last one's leaving.
	eventually(t, "nobody is in the meeting", func() (bool, string) {
		a := m.house.rig.ask(t, m.house.admin, http.MethodGet, "/v1/meetings/"+m.id+"/roster", nil)
		return !strings.Contains(string(a.body), "participant_id"), string(a.body)
	})
}

func TestLoad_TokenFile(t *testing.T) {
	m := newHouse(t, usualRig.get(t), nil).meeting(nil)
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(m.house.token("one", "org_user")+"\n"+m.house.token("two", "org_user")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := m.load(t, "--publishers", "1", "--subscribers", "1", "--video-bitrate", "0", "--duration", "1s", "--token-file", path)
	if got.Joined != 2 || got.Streams != 1 {
		t.Errorf("%d of 2 joined, %d of 1 streams", got.Joined, got.Streams)
	}
}

func TestLoad_BadInput(t *testing.T) {
	const link = "http://127.0.0.1:1/join/m#s"
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"no link", []string{"--meeting", "meeting"}, "--meeting: give the whole link"},
		{"no secret", []string{"--meeting", "http://127.0.0.1:1/join/m"}, "--meeting: give the whole link"},
		{"another machine", []string{"--meeting", "https://meet.example.org/join/m#s"}, "--server https://meet.example.org"},
		{"another server", []string{"--meeting", link, "--server", "https://meet.example.org"}, "--server: is not the link's server"},
		{"too many", []string{"--meeting", link, "--subscribers", "2000"}, "1 to 2000 together"},
		{"too long", []string{"--meeting", link, "--duration", "2h"}, "duration: 2h0m0s is not"},
		{"too many guests", []string{"--meeting", link, "--guests", "42"}, "--guests: 42 is not 0 to 41"},
		{"nothing to publish", []string{"--meeting", link, "--audio=false", "--video-bitrate", "0"}, "publish nothing"},
		{"bit rate", []string{"--meeting", link, "--video-bitrate", "-1"}, "video-bitrate: -1 is neither"},
		{"no token", []string{"--meeting", link, "--token-file", os.DevNull}, "--token-file: there is no token in it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr buffer
			code := run(t.Context(), append([]string{"load"}, c.args...), nil, strings.NewReader(""), &stdout, &stderr)
			if code != exitUsage || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("exit code %d, want %d; said %q, want %q in it", code, exitUsage, stderr.String(), c.says)
			}
		})
	}
}

// limitsEnv says how many users join the meeting of TestLimits_HoldWithOneSpeaker; 1000 is a full meeting. A call with guests has 350 for each 1000.
const limitsEnv = "ANTEROOM_TEST_LIMITS"

// TestLimits_HoldWithOneSpeaker fills a meeting with users, then a call of which a third are guests as far as guests may come (M10), has one
// speak, and looks that everybody hears.
func TestLimits_HoldWithOneSpeaker(t *testing.T) {
	users := 60
	if text := os.Getenv(limitsEnv); text != "" {
		var err error
		if users, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", limitsEnv, err)
		}
	}
	h := newHouse(t, usualRig.get(t), nil)
	for _, c := range []struct {
		name            string
		members, guests int
	}{
		{"users", users, 0},
		{"with guests", users * 350 / 1000, users * 350 / 3000},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := h.meeting(fields{"lobby_bypass": "everyone"}).load(t, "--publishers", "1", "--subscribers", fmt.Sprint(c.members-1),
				"--guests", fmt.Sprint(c.guests), "--video-bitrate", "0", "--duration", "10s",
				"--ramp", (time.Duration(c.members) * 50 * time.Millisecond).String(), "--join-timeout", "2m")
			t.Logf("%d members, %d of them guests:\n%s", c.members, c.guests, got)
			if got.Joined != c.members || got.Streams != c.members-1 || got.Disconnected != 0 {
				t.Errorf("%d joined, %d hear, %d were cut; refused %v", got.Joined, got.Streams, got.Disconnected, got.Refused)
			}
		})
	}
}

// flooder joins as fast as it is told to, from one address.
type flooder struct {
	from string
	mu   sync.Mutex
	// said counts the answers: joined, a reason, or the HTTP status.
	said map[string]int // guarded by mu
}

// TestFlood_OneAddressIsRefusedAndOthersGoOn has a thousand joins a second come from one address, while a call runs in another meeting.
func TestFlood_OneAddressIsRefusedAndOthersGoOn(t *testing.T) {
	// The limits that everybody has; only a decision may take as long as a machine that is busy with the flood needs.
	r, err := startRig([]string{"ANTEROOM_LOG_LEVEL=warn", "ANTEROOM_POLICY_TIMEOUT=10s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	h := newHouse(t, r, nil)
	victim, other := h.meeting(nil), h.meeting(nil)
	var calls sync.WaitGroup
	var call load.Result
	calls.Go(func() {
		call = other.load(t, "--publishers", "1", "--subscribers", "4", "--duration", "6s", "--ramp", "0s")
	})
	f := &flooder{from: "127.0.0.2", said: map[string]int{}}
	f.flood(t, victim, 1000, 5*time.Second)
	calls.Wait()
	t.Logf("the flood was told: %v; the call meanwhile:\n%s", f.said, call)
	if f.said[protocol.ReasonRateLimited] == 0 {
		t.Errorf("no join was refused with %s: %v", protocol.ReasonRateLimited, f.said)
	}
	if call.Joined != 5 || call.Streams != 8 || call.Disconnected != 0 {
		t.Errorf("the call in another meeting suffered: %+v", call)
	}
	for what := range f.said {
		if !slices.Contains([]string{"joined", protocol.ReasonRateLimited, "HTTP 429"}, what) {
			t.Errorf("the flood was also told %q, %d times", what, f.said[what])
		}
	}
	// What was refused left nothing: whoever comes from elsewhere joins at once.
	if got := victim.load(t, "--publishers", "1", "--subscribers", "1", "--duration", "1s", "--video-bitrate", "0"); got.Joined != 2 {
		t.Errorf("after the flood %d of 2 joined", got.Joined)
	}
}

// flood tries joins at a rate per second.
func (f *flooder) flood(t *testing.T, m *room, rate int, lasts time.Duration) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(f.from)}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	join := m.userJoin("flood")
	var all sync.WaitGroup
	limit := make(chan struct{}, 500) // at once
	began := time.Now()
	for i := range int(lasts.Seconds() * float64(rate)) {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		limit <- struct{}{}
		all.Go(func() {
			said := f.try(m, join, &http.Client{Transport: transport})
			f.mu.Lock()
			f.said[said]++
			f.mu.Unlock()
			<-limit
		})
	}
	all.Wait()
}

func (f *flooder) try(m *room, join protocol.Join, over *http.Client) string {
	ctx, cancel := context.WithTimeout(context.Background(), rigPatience)
	defer cancel()
	c, err := mediaclient.Dial(ctx, m.house.rig.url+"/v1/connect", mediaclient.Options{
		HTTPClient: over, NoMedia: true, EventBuffer: 1, Settings: func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) },
	})
	if err != nil {
		if strings.Contains(err.Error(), "HTTP status 429") {
			return "HTTP 429"
		}
		return fmt.Sprintf("%.80s", err)
	}
	defer c.Close()
	_, err = c.Join(ctx, join)
	var refused *protocol.Error
	switch {
	case err == nil:
		_ = c.Leave(ctx)
		return "joined"
	case errors.As(err, &refused):
		return refused.Reason
	}
	return fmt.Sprintf("%.80s", err)
}
