package retention_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// killsEnv is how often a sweep is killed; a few times unless set.
const killsEnv = "ANTEROOM_TEST_SWEEP_KILLS"

// told is a thing as the test knows it.
type toldThing struct {
	class        string
	item, holder uuid.UUID
	sent         time.Time
	text         string
	// next is when its guest was shown the next message, gone when its author deleted it; zero if never.
	next, gone time.Time
}

// world is a meeting that goes on while its sweeper is killed again and again.
type world struct {
	*kept
	dir    string
	now    time.Time
	things map[[32]byte]*toldThing
	// last is what each guest was shown last.
	last map[int][32]byte
	said int
	// held: copies of odd guests are, and before are those that were purged by then.
	held   bool
	before map[[32]byte]bool
	random *rand.Rand
}

const (
	killCopies, killThread, killRecordings = 30 * keptDay, 40 * keptDay, 20 * keptDay
)

// TestRule_R7_AKilledSweepGoesOn kills sweeps with SIGKILL at one of their steps after the other (a few, or as many as ANTEROOM_TEST_SWEEP_KILLS says). After each: nothing is gone
// early, nothing held is gone, nothing is back, and in the end everything is in exactly one state, with evidence once, and all roots are those of the tables.
func TestRule_R7_AKilledSweepGoesOn(t *testing.T) {
	kills := 5
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any
	if text := os.Getenv("ANTEROOM_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	w := &world{
		kept: newKept(t), dir: t.TempDir(), now: noon, things: map[[32]byte]*toldThing{}, last: map[int][32]byte{}, before: map[[32]byte]bool{},
		random: rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // no secret
	}
	w.decideAll()
	steps := retention.SweepSteps()
	w.random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	killed := 0
	for n := range kills {
		w.live()
		step := steps[n%len(steps)]
		if w.kill(step, max(1, w.random.IntN(3))) {
			killed++
		}
		w.check(fmt.Sprintf("after kill %d at the step %s", n+1, step))
		if t.Failed() {
			return
		}
		w.now = w.now.Add(time.Duration(1+w.random.IntN(48)) * time.Hour)
	}
	if killed < kills/2 {
		t.Errorf("of %d sweeps only %d were killed: the test tests little", kills, killed)
	}
	// Everything has to go in the end, but for what is held.
	w.now = w.now.Add(100 * keptDay)
	w.kill("", 0)
	w.check("in the end")
	w.reconcile()
	gone := w.evidenceIDs()
	for id, thing := range w.things {
		if want := !w.isHeld(thing) || w.before[id]; gone[id] != want {
			t.Errorf("in the end a %s of %v is gone: %v", thing.class, thing.sent, gone[id])
		}
	}
	t.Logf("%d sweeps were killed; %d things", killed, len(w.things))
}

func (w *world) decideAll() {
	w.decide(decision{class: "copy", resource: keptResource, period: killCopies, held: w.held}, decision{class: "copy", resource: otherApp, period: killCopies},
		decision{class: "thread", period: killThread}, decision{class: "recording", period: killRecordings})
}

// live has the meeting go on: messages, edits, deletions, recordings, holds.
func (w *world) live() {
	w.t.Helper()
	for range 1 + w.random.IntN(3) {
		w.said++
		at := w.now.Add(time.Duration(w.said) * time.Millisecond)
		text := fmt.Sprintf("text %d.", w.said)
		var guests []int
		for g := 1; g <= 4; g++ {
			if w.random.IntN(3) > 0 {
				guests = append(guests, g)
			}
		}
		w.say(w.said, at, text, guests...)
		w.add(&toldThing{class: "thread", item: message(w.said), sent: at, text: text})
		for _, g := range guests {
			id := w.add(&toldThing{class: "copy", item: message(w.said), holder: guest(g), sent: at, text: text})
			if before, ok := w.last[g]; ok {
				w.things[before].next = at
			}
			w.last[g] = id
		}
	}
	if w.random.IntN(3) == 0 {
		w.edit(1 + w.random.IntN(w.said))
	}
	if w.random.IntN(4) == 0 {
		w.retract(1 + w.random.IntN(w.said))
	}
	if w.random.IntN(4) == 0 {
		recording := id(55555555, w.said)
		if err := os.WriteFile(filepath.Join(w.dir, recording.String()), []byte("x"), 0o600); err != nil {
			w.t.Fatal(err)
		}
		w.keep("recording", recording, uuid.Nil, uuid.Nil, w.now)
		w.add(&toldThing{class: "recording", item: recording, sent: w.now})
	}
	if w.random.IntN(4) == 0 {
		w.held = !w.held
		w.before = map[[32]byte]bool{}
		there := w.bytesThere()
		purged := w.purgedIDs()
		for id, thing := range w.things {
			w.before[id] = !there(thing) || purged[id]
		}
		w.decideAll()
	}
}

func (w *world) add(thing *toldThing) [32]byte {
	id := w.thingID(thing.class, thing.item, thing.holder)
	w.things[id] = thing
	return id
}

// edit replaces a message's text where it is still kept.
func (w *world) edit(n int) {
	at := w.now.Add(time.Duration(w.said) * time.Millisecond).Add(time.Microsecond)
	text := fmt.Sprintf("text %d. edited %d", n, w.said)
	gone := w.evidenceIDs()
	for _, class := range []string{"thread", "copy"} {
		done := false
		for id, thing := range w.things {
			if thing.class != class || thing.item != message(n) || !thing.gone.IsZero() || !thing.sent.Before(at) || gone[id] {
				continue
			}
			thing.text = text
			if !done {
				done = true
				w.text(class, message(n), thing.sent, at, text)
			}
		}
	}
}

func (w *world) retract(n int) {
	for _, thing := range w.things {
		if thing.item == message(n) && thing.gone.IsZero() {
			thing.gone = w.now
		}
	}
	w.insert(fmt.Sprintf("INSERT INTO retractions (org, meeting_id, call_id, message_id, retracted_at) VALUES ('%s', '%s', '%s', '%s', %s)",
		keptOrg, keptMeeting, keptCall, message(n), micro(w.now)))
}

// kill sweeps in another process that kills itself after a step, and tells whether it did; with no step it has to come to its end.
func (w *world) kill(step string, nth int) bool {
	w.t.Helper()
	plan, err := json.Marshal(sweepVictim{
		Store: w.cfg, Password: w.cfg.Password, Key: w.key, Files: w.dir, Now: w.now.Add(time.Minute), Step: step, Nth: nth,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), sweepVictimEnv+"="+string(plan))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case step != "" && errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL: //nolint:forcetypeassert // on the systems that there are
		return true
	default:
		w.t.Fatalf("the victim failed: %v\n%s", err, &stderr)
		return false
	}
}

func (w *world) evidenceIDs() map[[32]byte]bool {
	w.t.Helper()
	out := map[[32]byte]bool{}
	for _, e := range w.evidence() {
		out[e.CopyID] = true
	}
	return out
}

// purgedIDs are the things of which it is noted that their bytes are gone, whether or not there is evidence yet.
func (w *world) purgedIDs() map[[32]byte]bool {
	w.t.Helper()
	out := w.evidenceIDs()
	for _, text := range w.sql.Texts(`SELECT hex(copy_id) FROM purge_sets WHERE taken_out = 0 AND batch_id IN (SELECT batch_id FROM purge_batches WHERE step = 'purged')
		AND (batch_id, copy_id) NOT IN (SELECT batch_id, copy_id FROM purge_sets WHERE taken_out = 1)`) {
		raw, err := hex.DecodeString(text)
		if err != nil {
			w.t.Fatal(err)
		}
		out[[32]byte(raw)] = true
	}
	return out
}

func (w *world) isHeld(thing *toldThing) bool {
	return w.held && thing.class == "copy" && w.appOf(thing.holder) == keptResource
}

func (w *world) appOf(holder uuid.UUID) uuid.UUID {
	for g := 1; g <= 4; g++ {
		if guest(g) == holder {
			return app(g)
		}
	}
	return uuid.Nil
}

// mayBeGone tells whether a thing has had to go by now.
func (w *world) mayBeGone(thing *toldThing) bool {
	period := map[string]time.Duration{"copy": killCopies, "thread": killThread, "recording": killRecordings}[thing.class]
	return !thing.next.IsZero() || !thing.gone.IsZero() || !thing.sent.Add(period).After(w.now.Add(2*time.Minute))
}

// check looks at everything, wherever the sweep was killed.
func (w *world) check(when string) {
	w.t.Helper()
	there, gone := w.bytesThere(), w.evidenceIDs()
	for id, thing := range w.things {
		kept := there(thing)
		switch {
		case gone[id] && !w.mayBeGone(thing):
			w.t.Errorf("%s: a %s of %v is gone early", when, thing.class, thing.sent)
		case gone[id] && w.isHeld(thing) && !w.before[id]:
			w.t.Errorf("%s: a %s of %v is gone although it is held", when, thing.class, thing.sent)
		case !gone[id] && !kept && !w.before[id] && (w.isHeld(thing) || !w.mayBeGone(thing)):
			w.t.Errorf("%s: the bytes of a %s of %v are gone", when, thing.class, thing.sent)
		case gone[id] && kept && thing.class != "copy":
			w.t.Errorf("%s: there is evidence of a %s of %v whose bytes are there", when, thing.class, thing.sent)
		}
	}
	w.checkReads(when, gone)
	w.leavesOf(true)
}

// bytesThere tells of a thing whether its bytes are there, as they were last.
func (w *world) bytesThere() func(*toldThing) bool {
	w.t.Helper()
	texts := map[string]string{}
	for _, row := range w.sql.Texts("SELECT concat(toString(class), ' ', toString(message_id), ' ', argMax(text, revised_at)) FROM texts GROUP BY class, message_id") {
		parts := strings.SplitN(row, " ", 3)
		texts[parts[0]+" "+parts[1]] = parts[2]
	}
	return func(thing *toldThing) bool {
		if thing.class == "recording" {
			_, err := os.Stat(filepath.Join(w.dir, thing.item.String()))
			return err == nil
		}
		return texts[thing.class+" "+thing.item.String()] == thing.text
	}
}

// checkReads reads the thread and the copies.
func (w *world) checkReads(when string, gone map[[32]byte]bool) {
	w.t.Helper()
	r := store.NewReader(w.s, store.QueryLimits{})
	list, err := r.ThreadMessages(w.t.Context(), keptOrg, keptMeeting, w.now, nil, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range list {
		id := w.thingID(string(proof.Thread), m.MessageID, uuid.Nil)
		if thing := w.things[id]; gone[id] || thing.text != string(m.Content) {
			w.t.Errorf("%s: a message of %v can be read, gone %v, as %q", when, thing.sent, gone[id], m.Content)
		}
	}
	for g := 1; g <= 4; g++ {
		key := store.HolderKey{CallKey: store.CallKey{Org: keptOrg, CallID: keptCall}, MeetingID: keptMeeting, HolderID: guest(g)}
		m, err := r.Copy(w.t.Context(), key, w.now)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if id := w.thingID(string(proof.Copy), m.MessageID, guest(g)); gone[id] || id != w.last[g] {
			w.t.Errorf("%s: a copy of %v can be read that is gone or not the last", when, m.SentAt)
		}
	}
}
