package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom/anteroom/internal/faulttest"
	"github.com/anteroom/anteroom/retention"
)

// tortureEnv says for how long all processes are killed, such as 20m. By default for some seconds.
const tortureEnv = "ANTEROOM_TEST_TORTURE"

// torture is the killing of a crew.
type torture struct {
	*crew
	life   *life
	lasts  time.Duration
	random *rand.Rand
	again  sync.WaitGroup // starts that are under way

	// done counts what else was done to engines and to what goes between them and the roles; rage's own.
	done map[string]int

	mu     sync.Mutex
	moment time.Time // guarded by mu: the latest that anything was deleted for
	killed int       // guarded by mu: sweeps that were killed
}

// seedOf is what chance is made of: another one each time, unless ANTEROOM_TEST_SEED names one.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any
	if text := os.Getenv("ANTEROOM_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	return seed
}

// newTorture starts a crew that is disturbed for some seconds, or for as long as tortureEnv says.
func newTorture(t *testing.T, network *faulttest.Network) *torture {
	t.Helper()
	tr := &torture{lasts: 15 * time.Second, random: rand.New(rand.NewPCG(seedOf(t), 0)), done: map[string]int{}} //nolint:gosec // no secret
	if long := os.Getenv(tortureEnv); long != "" {
		var err error
		if tr.lasts, err = time.ParseDuration(long); err != nil {
			t.Fatalf("%s: %v", tortureEnv, err)
		}
	}
	tr.crew = newCrew(t, network,
		"ANTEROOM_MEDIA_RENEW_TOKENS=2s", "ANTEROOM_MEDIA_MEETING_RECONNECT_GRACE=15s", "ANTEROOM_MEDIA_FORWARD_REPORT_INTERVAL=2s",
		"ANTEROOM_SWEEP_INTERVAL=1s", "ANTEROOM_SWEEP_GATHER=1s", "ANTEROOM_SWEEP_SILENCE=3s", "ANTEROOM_SEALING_INTERVAL=20s", "ANTEROOM_SEALING_SLACK=15s",
	)
	tr.life = newLife(tr.crew)
	return tr
}

// TestTorture kills broker, ClickHouse and Anteroom's processes of each role at random moments, and stops engines for a while, while people talk in
// meetings, some of which are held, and while what is due is deleted. In the end nothing that was acknowledged is lost or doubled, nothing is gone
// early or although it was held, and nothing that is proven to be gone is there.
func TestTorture(t *testing.T) {
	tr := newTorture(t, nil)
	open := fields{"lobby_bypass": "everyone"}
	free, late, held := tr.life.h.meeting(open), tr.life.h.meeting(open), tr.life.h.meeting(open)
	if !tr.life.hold(t.Context(), held) {
		t.Fatal("a hold could not be placed")
	}
	began := time.Now()
	tr.life.begin(t.Context(), []*room{free, late, held})
	tr.rage(t.Context(), late)
	tr.life.end()
	tr.settle(began)
}

// TestParted parts the network between the engines and the processes that ingest and delete, again and again: nobody is told, connections stay open, and
// nothing comes through. Meetings go on meanwhile, and in the end nothing is lost, doubled, early, held or back.
func TestParted(t *testing.T) {
	tr := newTorture(t, faulttest.NewNetwork(t))
	m := tr.life.h.meeting(fields{"lobby_bypass": "everyone"})
	began := time.Now()
	tr.life.begin(t.Context(), []*room{m})
	within(t, time.Minute, "people talk", func() (bool, string) { return tr.life.messages() > 5, "" })
	for time.Since(began) < tr.lasts {
		before := tr.life.messages()
		tr.network.Part(true)
		tr.done["parted"]++
		pause(t.Context(), 2*time.Second+time.Duration(tr.random.Int64N(int64(min(10*time.Second, tr.lasts/4)))))
		if tr.life.messages() == before {
			t.Error("nothing was said while the network was parted")
		}
		tr.network.Part(false)
		pause(t.Context(), time.Duration(tr.random.Int64N(int64(tr.lasts/10))))
	}
	tr.life.end()
	tr.settle(began)
}

// rage kills and deletes until the time is over. Halfway a hold is placed.
func (tr *torture) rage(ctx context.Context, late *room) {
	ctx, cancel := context.WithTimeout(ctx, tr.lasts)
	defer cancel()
	var beside sync.WaitGroup
	beside.Go(func() { tr.sweepOn(ctx) })
	beside.Go(func() {
		if pause(ctx, tr.lasts/2) {
			placing, done := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer done()
			if !tr.life.hold(placing, late) {
				tr.t.Error("a hold could not be placed within a minute")
			}
		}
	})
	longest := min(12*time.Second, tr.lasts/8)
	names := tr.names()
	for n := 0; pause(ctx, 200*time.Millisecond+time.Duration(tr.random.Int64N(int64(longest)))); n++ {
		if n%len(names) == 0 {
			tr.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		}
		tr.disturb(ctx)
		tr.killOne(names[n%len(names)])
		if tr.random.IntN(4) == 0 { // two at once
			tr.killOne(names[tr.random.IntN(len(names))])
		}
	}
	beside.Wait()
	tr.again.Wait()
}

// killOne kills a process, if it is there, and starts it again at once.
func (tr *torture) killOne(name string) {
	if !tr.kill(name) {
		return
	}
	tr.again.Go(func() {
		for try := 1; ; try++ {
			err := tr.start(name)
			if err == nil {
				return
			}
			if try == 5 {
				tr.t.Errorf("%s does not start again: %v", name, err)
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
	})
}

// disturb does something else than to kill, often nothing: it cuts connections before an answer gets through, slows them, or stops an engine for a while.
func (tr *torture) disturb(ctx context.Context) {
	a, b := tr.random.IntN(8), tr.random.IntN(2)
	while := time.Duration(tr.random.Int64N(int64(min(8*time.Second, tr.lasts/10))))
	switch a {
	case 0: // it keeps its connections, and answers nothing
		name := []string{crewBroker, crewClickHouse}[b]
		if tr.signal(name, syscall.SIGSTOP) {
			tr.done[name+" stopped"]++
			pause(ctx, while)
			tr.signal(name, syscall.SIGCONT)
		}
	case 1:
		[]*faulttest.Proxy{tr.toBroker, tr.toClickHouse}[b].Slow(time.Duration(5+tr.random.IntN(50)) * time.Millisecond)
		tr.done["slowed"]++
		pause(ctx, while)
		tr.toBroker.Slow(0)
		tr.toClickHouse.Slow(0)
	case 2, 3, 4:
		kinds := []uint16{faulttest.KafkaProduce, faulttest.KafkaProduce, faulttest.KafkaOffsetCommit, faulttest.KafkaFetch}
		tr.toBroker.CutAnswer(faulttest.KafkaRequest(kinds[tr.random.IntN(len(kinds))]))
		tr.toClickHouse.CutAnswer(faulttest.ClickHouseBlock)
	}
}

// sweepLag is how long ago what is swept away was sent at least.
const sweepLag = 5 * time.Second

// sweepOn deletes again and again what is due a day ahead of time, so that what was said some seconds ago is; some of these sweeps are killed.
func (tr *torture) sweepOn(ctx context.Context) {
	random := rand.New(rand.NewPCG(tr.random.Uint64(), 1)) //nolint:gosec // no secret
	for pause(ctx, 2*time.Second) {
		patience := 20 * time.Second
		if random.IntN(2) == 0 {
			patience = time.Duration(random.IntN(2500)) * time.Millisecond
		}
		_, _ = tr.sweepTo(time.Now().Add(24*time.Hour-sweepLag), patience) // engines come and go
	}
}

// sweepTo deletes what is due at a moment, in a process of its own, which is killed after the patience.
func (tr *torture) sweepTo(moment time.Time, patience time.Duration) ([]retention.Result, error) {
	tr.mu.Lock()
	if moment.After(tr.moment) {
		tr.moment = moment
	}
	tr.mu.Unlock()
	cmd := tr.command("retention", "sweep", "--json", "--ahead-of-time", "--now", moment.UTC().Format(time.RFC3339Nano))
	var stdout, stderr buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if errors.As(err, &exit) && !exit.Exited() {
		tr.killed++
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%s%s", err, stdout.String(), stderr.String())
	}
	var got struct {
		Regions []retention.Result `json:"regions"`
	}
	return got.Regions, json.Unmarshal([]byte(stdout.String()), &got)
}

// settle lets everything come to rest, deletes once more, and counts. What may still come or go is waited for.
func (tr *torture) settle(began time.Time) {
	t := tr.t
	t.Helper()
	tr.awaitReady()
	var h *harm
	for deadline := time.Now().Add(4 * time.Minute); ; time.Sleep(500 * time.Millisecond) {
		_, err := tr.sweepTo(time.Now().Add(24*time.Hour-sweepLag), time.Minute)
		if err == nil {
			h, err = tr.life.count(t.Context(), tr.latest())
		}
		if err == nil && (!h.any() || h.forGood()) {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("after four minutes without a kill it is still so: %v", err)
			break
		}
	}
	if h == nil {
		return
	}
	h.report(t)
	tr.wantLedgers()
	t.Log(tr.told(h, time.Since(began)))
}

func (tr *torture) latest() time.Time {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.moment
}

// wantLedgers has the ledgers checked, once nothing waits.
func (tr *torture) wantLedgers() {
	tr.t.Helper()
	within(tr.t, time.Minute, "the ledgers are in order", func() (bool, string) {
		out, err := tr.command("ledger", "fsck").CombinedOutput()
		return err == nil, fmt.Sprintf("%v\n%s", err, out)
	})
}

// told is one line of what was done and what came of it.
func (tr *torture) told(h *harm, took time.Duration) string {
	total, kills := tr.killed, []string{}
	for _, name := range tr.names() {
		total += tr.members[name].kills
		kills = append(kills, fmt.Sprintf("%s %d", name, tr.members[name].kills))
	}
	var deleted uint64
	_ = tr.connection(tr.home).QueryRow(tr.t.Context(), "SELECT uniqExact(copy_id) FROM evidence").Scan(&deleted)
	l := tr.life
	return fmt.Sprintf("torture: %d kills in %v (%s, sweeps %d); answers cut: %d of the broker, %d of ClickHouse; %v; acknowledged: %d messages, %d joins, "+
		"%d calls of other systems; proven to be gone: %d at home; %s; refused: %v",
		total, took.Round(time.Second), strings.Join(kills, ", "), tr.killed, tr.toBroker.Cuts(), tr.toClickHouse.Cuts(), tr.done, len(l.said), len(l.joined),
		len(l.collected), deleted, h, l.refused)
}
