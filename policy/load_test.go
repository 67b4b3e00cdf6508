package policy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// activationsEnv makes TestActivateEveryTenthOfASecond as long as it says, such as 1m.
const activationsEnv = "ANTEROOM_TEST_ACTIVATIONS"

// numbered is an organisation's policy whose answer tells which it is.
func numbered(n int) Revision {
	return Revision{Modules: map[string]string{
		"screens.rego": fmt.Sprintf("package anteroom.organization\n\nwithhold.shareScreen contains \"r%d\" if input.participant.kind == \"guest\"\n", n),
		"chat.rego":    fmt.Sprintf("package anteroom.organization\n\nwithhold.sendChat contains \"r%d\" if input.participant.kind == \"guest\"\n", n),
	}}
}

// activations are what was activated: by the name that decisions have it by, and how many there were when a decision began.
type activations struct {
	done    atomic.Int64
	mu      sync.RWMutex
	numbers map[string]int // guarded by mu: by revision; 0 is the base
}

// asked decides once, and tells what is wrong with the answer: it has to be wholly of the revision that it names, which must not be an older one than what
// was active when it was asked.
func (a *activations) asked(e *Engine, in Input) string {
	least := a.done.Load()
	d := e.Decide(context.Background(), "acme", in)
	a.mu.RLock()
	number, known := a.numbers[d.Revision]
	a.mu.RUnlock()
	want := Reason("")
	if number%2 == 1 {
		want = Reason(fmt.Sprintf("r%d", number))
	}
	switch {
	case !known:
		return fmt.Sprintf("revision %s was never activated: %+v", d.Revision, d)
	case int64(number) < least:
		return fmt.Sprintf("decided by activation %d when %d was done", number, least)
	case d.Error != "" || d.Allowed() != (want == "") || (want != "" && (len(d.Reasons) != 1 || d.Reason() != want)):
		return fmt.Sprintf("activation %d decided %+v", number, d)
	}
	return ""
}

// Under full load, of inputs that were asked before and of others, a policy is activated every 100 ms, and the base alone in between: no decision fails, waits
// or is of a policy that is half there. Each answer is that of the revision that it names.
func TestActivateEveryTenthOfASecond(t *testing.T) {
	length := 5 * time.Second
	if testing.Short() {
		length = time.Second
	}
	if text := os.Getenv(activationsEnv); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	e := engine(t, Config{Timeout: time.Minute})
	base := e.Revision("acme")
	done := &activations{numbers: map[string]int{base: 0}}
	over := make(chan struct{})
	var deciders sync.WaitGroup
	took := make([][]time.Duration, 2)
	for n := range took {
		random := rand.New(rand.NewPCG(1, uint64(n))) //nolint:gosec // a test's
		deciders.Go(func() {
			for asked := 0; ; asked++ {
				select {
				case <-over:
					return
				default:
				}
				in := guest(ActionUse, []Capability{ShareScreen, SendChat}[asked%2])
				if asked%8 == 0 { // one that nobody asked before
					in.Organization.Withdrawn = someOf(random)
				}
				start := time.Now()
				wrong := done.asked(e, in)
				if took[n] = append(took[n], time.Since(start)); wrong != "" {
					t.Error(wrong)
					return
				}
			}
		})
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	end := time.After(length)
	number := 0
	for waiting := true; waiting; {
		select {
		case <-end:
			waiting = false
			continue
		case <-ticker.C:
		}
		number++
		if err := done.activate(e, base, number); err != nil {
			t.Error(err)
			break
		}
	}
	close(over)
	deciders.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	t.Logf("%d activations in %s under %d decisions: p50 %s, p99 %s, p99.9 %s, longest %s", number, length, len(all),
		all[len(all)/2], all[len(all)*99/100], all[len(all)*999/1000], all[len(all)-1])
}

// activate has the policy of an odd number decide, and the base alone for an even one.
func (a *activations) activate(e *Engine, base string, number int) error {
	name := base
	if number%2 == 1 {
		id, err := numbered(number).ID()
		if err != nil {
			return err
		}
		name = base + "+acme@" + id
	}
	a.mu.Lock()
	a.numbers[name] = number
	a.mu.Unlock()
	if number%2 == 1 {
		if err := e.Activate("acme", numbered(number)); err != nil {
			return err
		}
	} else {
		e.Deactivate("acme")
	}
	a.done.Store(int64(number))
	return nil
}

// someOf are capabilities that neither test nor policy speaks of.
func someOf(random *rand.Rand) []Capability {
	var out []Capability
	for _, c := range Capabilities() {
		if c != ShareScreen && c != SendChat && random.IntN(2) == 0 {
			out = append(out, c)
		}
	}
	return out
}
