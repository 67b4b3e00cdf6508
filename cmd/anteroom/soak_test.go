package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/load"
	"github.com/anteroom/anteroom/media/protocol"
)

// soakEnv says how long the soak is, such as 5m; then it has 200 meetings. By default it is a few meetings for some seconds.
const soakEnv = "ANTEROOM_TEST_SOAK"

// seats of a meeting: how many clients come and go in it.
const seats = 4

// quietLimits are a rig's whose clients all come from one address, and that logs only what is wrong.
func quietLimits(more ...string) []string {
	var out []string
	for _, line := range wideLimits(more...) {
		if !strings.HasPrefix(line, "ANTEROOM_LOG_LEVEL=") {
			out = append(out, line)
		}
	}
	return append(out, "ANTEROOM_LOG_LEVEL=warn")
}

// TestSoak_NothingLeaks has clients join and leave meetings at random, some politely, some by vanishing, some talking. In the end goroutines, open
// files (sockets are files) and memory are what they were before.
func TestSoak_NothingLeaks(t *testing.T) {
	meetings, lasts := 10, 8*time.Second
	if long := os.Getenv(soakEnv); long != "" {
		var err error
		if lasts, err = time.ParseDuration(long); err != nil {
			t.Fatalf("%s: %v", soakEnv, err)
		}
		meetings = 200
	}
	// Nothing is said about time: a machine that is slow under the race detector may take long over a join.
	r, err := startRig(quietLimits(
		"ANTEROOM_MEDIA_MEETING_RECONNECT_GRACE=2s", "ANTEROOM_MEDIA_MEETING_EMPTY_TIMEOUT=2s", "ANTEROOM_POLICY_TIMEOUT=30s",
		"ANTEROOM_MEDIA_MEETING_RECORD_TIMEOUT=60s", "ANTEROOM_RECORDER_TIMEOUT=60s", "ANTEROOM_SIGNALLING_REQUEST_TIMEOUT=60s", "ANTEROOM_MEDIA_START_TIMEOUT=60s",
		"ANTEROOM_SIGNALLING_PING_TIMEOUT=60s", "ANTEROOM_SIGNALLING_JOIN_TIMEOUT=60s", "ANTEROOM_SIGNALLING_WRITE_TIMEOUT=60s",
	), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	h := newHouse(t, r, nil)
	s := &soak{longest: lasts / 4, rooms: make([]*room, meetings), app: h.application(nil), counts: map[string]int{}}
	for i := range s.rooms {
		s.rooms[i] = h.meeting(fields{"lobby_bypass": "everyone"})
	}
	// What is made once is made before the first look.
	s.sit(t, time.Now().Add(2*time.Second), s.rooms[:1])
	before := settled(nil, meetings)
	peak := peakOfGoroutines()
	s.sit(t, time.Now().Add(lasts), s.rooms)
	during := weigh()
	// What Go keeps of a goroutine that has ended, for the next one, is no leak.
	before.heap += int64(peak()) * keptPerGoroutine
	after := settled(&before, meetings)
	t.Logf("%d meetings × %d clients for %s: %s; load average %s", meetings, seats, lasts, s, load.LoadAverage())
	t.Logf("before (with what is kept of goroutines): %s; at the end of the load: %s; after: %s", before, during, after)
	if s.counts["joined"] == 0 {
		t.Error("nobody joined")
	}
	for reason, n := range s.counts {
		if strings.HasPrefix(reason, "failed: ") {
			t.Errorf("%s: %d times", reason, n)
		}
	}
	for _, excess := range after.excess(before, meetings) {
		t.Error(excess)
	}
	if t.Failed() {
		var stacks strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		t.Logf("goroutines that are left:\n%.20000s", stacks.String())
	}
}

// What may be left: eight pooled connections to Kafka more than before (four goroutines and two sockets each, since both ends are in this process),
// and what the process remembers of meetings (last events, metrics).
const (
	slackGoroutines = 8 * 4
	slackSockets    = 8 * 2
	slackHeap       = 8 << 20
	slackPerMeeting = 64 << 10
	// keptPerGoroutine is the size of runtime.g, rounded up to its size class.
	keptPerGoroutine = 480
)

// peakOfGoroutines counts until the function that it returns is called, which gives the most.
func peakOfGoroutines() func() int {
	stop, most := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				most <- n
				return
			case <-time.After(20 * time.Millisecond):
				n = max(n, runtime.NumGoroutine())
			}
		}
	}()
	return func() int { close(stop); return <-most }
}

// weight is what the process has. Sockets are the ports that it holds.
type weight struct {
	goroutines, sockets int
	heap, resident      int64
}

func (w weight) String() string {
	return fmt.Sprintf("%d goroutines, %d sockets, heap %d KiB, resident %d MiB", w.goroutines, w.sockets, w.heap>>10, w.resident>>20)
}

// excess is what is more than before, beyond what may be left.
func (w weight) excess(before weight, meetings int) (found []string) {
	for _, look := range []struct {
		what                string
		now, before, beyond int64
	}{
		{"goroutines", int64(w.goroutines), int64(before.goroutines), slackGoroutines},
		{"sockets", int64(w.sockets), int64(before.sockets), slackSockets},
		{"bytes of heap", w.heap, before.heap, slackHeap + int64(meetings)*slackPerMeeting},
	} {
		if look.now > look.before+look.beyond {
			found = append(found, fmt.Sprintf("%d %s, %d before", look.now, look.what, look.before))
		}
	}
	return found
}

func weigh() weight {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	w := weight{goroutines: runtime.NumGoroutine(), heap: int64(memory.HeapAlloc), resident: load.UsageOf(os.Getpid()).Resident} //nolint:gosec // below 2^63
	open, _ := os.ReadDir("/proc/self/fd")
	for _, file := range open {
		if name, _ := os.Readlink("/proc/self/fd/" + file.Name()); strings.HasPrefix(name, "socket:") {
			w.sockets++
		}
	}
	return w
}

// settled weighs once what ends by itself has ended: when nothing is in excess any more, or nothing has become less for a while.
func settled(before *weight, meetings int) weight {
	idle, changed := 3*time.Second, time.Now()
	if before != nil {
		idle = 200 * time.Second // longer than idle connections to Kafka (3 minutes) and resumable sessions live
	}
	last := weigh()
	least := last
	for time.Since(changed) < idle {
		http.DefaultClient.CloseIdleConnections()
		if before != nil && len(last.excess(*before, meetings)) == 0 {
			break
		}
		time.Sleep(500 * time.Millisecond)
		now := weigh()
		if now.goroutines < least.goroutines || now.sockets < least.sockets {
			least.goroutines, least.sockets, changed = min(now.goroutines, least.goroutines), min(now.sockets, least.sockets), time.Now()
		}
		last = now
	}
	return last
}

// soak is the coming and going.
type soak struct {
	// longest is how long a stay lasts at most; pauses last a quarter of it at most.
	longest time.Duration
	rooms   []*room
	app     *application

	mu     sync.Mutex
	counts map[string]int // guarded by mu
}

func (s *soak) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(maps.Clone(s.counts))
}

func (s *soak) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// sit has all seats of the rooms taken and left until the deadline.
func (s *soak) sit(t *testing.T, deadline time.Time, rooms []*room) {
	var all sync.WaitGroup
	for i, room := range rooms {
		for seat := range seats {
			all.Go(func() {
				random := rand.New(rand.NewPCG(uint64(i), uint64(seat))) //nolint:gosec // a repeatable choice
				// Not all at once.
				pauseUntil(deadline, time.Duration(random.Float64()*float64(time.Until(deadline)/4)))
				for time.Now().Before(deadline) {
					s.stay(t.Context(), deadline, room, seat, random)
					pauseUntil(deadline, time.Duration(random.Int64N(int64(s.longest/4))))
				}
			})
		}
	}
	all.Wait()
}

func pauseUntil(deadline time.Time, d time.Duration) { time.Sleep(min(d, time.Until(deadline))) }

// stay is one stay of one client. Half of the seats are users', half guests'.
func (s *soak) stay(ctx context.Context, deadline time.Time, m *room, seat int, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(ctx, s.longest+4*rigPatience)
	defer cancel()
	join := m.guestJoin(s.app, fmt.Sprint("Guest ", seat))
	if seat < seats/2 {
		join = m.userJoin(fmt.Sprint("user-", seat))
	}
	c, err := mediaclient.Dial(ctx, m.house.rig.url+"/v1/connect", mediaclient.Options{
		NoMedia: random.IntN(2) == 0, EventBuffer: 16, Settings: func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) },
	})
	if err != nil {
		s.count(fmt.Sprintf("failed: dial: %.200s", err))
		return
	}
	defer func() {
		if packets, _ := c.Delivered(); packets > 0 {
			s.count("received media")
		}
		c.Close()
	}()
	joined, err := c.Join(ctx, join)
	if err != nil {
		s.count("failed: join: " + reasonFor(err))
		return
	}
	s.count("joined")
	if joined.State == protocol.StateAdmitted && random.IntN(3) == 0 {
		s.talk(ctx, deadline, c, random)
	}
	pauseUntil(deadline, time.Duration(random.Int64N(int64(s.longest))))
	switch random.IntN(4) {
	case 0:
		s.count("vanished")
	case 1:
		c.Drop()
		if _, err := c.Reconnect(ctx); err != nil {
			s.count("not resumed: " + reasonFor(err))
		} else {
			s.count("resumed")
		}
	default:
		if err := c.Leave(ctx); err != nil {
			s.count("not left: " + reasonFor(err))
		}
	}
}

// talk publishes for a moment.
func (s *soak) talk(ctx context.Context, deadline time.Time, c *mediaclient.Client, random *rand.Rand) {
	sources := []mediaclient.Source{{Kind: mediaclient.Audio}}
	if random.IntN(3) == 0 {
		sources = append(sources, mediaclient.Source{Kind: mediaclient.Video, Bitrate: 50_000, FrameRate: 5})
	}
	pubs, err := c.Publish(ctx, sources...)
	if err != nil {
		s.count("not published: " + reasonFor(err))
		return
	}
	s.count("published")
	pauseUntil(deadline, 3*time.Second)
	for _, p := range pubs {
		p.Pause(true)
	}
}

// reasonFor is the reason of a refusal, else the beginning of what went wrong.
func reasonFor(err error) string {
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return fmt.Sprintf("%.80s", err)
}
