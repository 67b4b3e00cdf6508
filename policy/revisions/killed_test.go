package revisions_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/revisions"
	"github.com/anteroom/anteroom/policy/sandbox"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// killedEnv has the store's configuration for the process that is to be killed.
const killedEnv = "ANTEROOM_TEST_REVISIONS_STORE"

// handed is what that process needs; a configuration doesn't write its password.
type handed struct {
	Config   store.Config
	Password string
}

// agrees is a sandbox that has nothing against anything, so that all that the process does is write.
type agrees struct{}

func (agrees) Check(context.Context, author.Content) (author.CheckResult, error) {
	return author.CheckResult{OK: true}, nil
}

func (agrees) Test(context.Context, author.Content, author.TestOptions) (author.TestResult, error) {
	return author.TestResult{OK: true, Coverage: author.Coverage{Percent: 100}}, nil
}

func (agrees) Budget(context.Context, author.Content, []json.RawMessage) (sandbox.Budgeted, error) {
	return sandbox.Budgeted{}, nil
}

func writer(s *store.Store) (*revisions.Service, error) {
	base, err := policy.NewBase(policy.Config{})
	if err != nil {
		return nil, err
	}
	return revisions.New(revisions.Config{}, revisions.Deps{Store: s, Sandbox: agrees{}, Base: base})
}

// writeUntilKilled makes and activates one revision after the other, if it is asked to.
func writeUntilKilled(config string) {
	if config == "" {
		return
	}
	err := func() error {
		var in handed
		if err := json.Unmarshal([]byte(config), &in); err != nil {
			return err
		}
		in.Config.Password = in.Password
		s, err := store.Open(in.Config)
		if err != nil {
			return err
		}
		w, err := writer(s)
		if err != nil {
			return err
		}
		for ctx := context.Background(); ; {
			active, err := w.Active(ctx, org)
			if err != nil {
				return err
			}
			made, err := w.Create(ctx, org, revisions.NewRevision{Content: refuses(fmt.Sprintf("r%d", time.Now().UnixNano())), Parent: active.Revision, Author: "ada"})
			if err != nil {
				return err
			}
			now, err := w.Activate(ctx, org, revisions.Change{Revision: made.Number, IfVersion: active.Version, Author: "ada"})
			if err != nil {
				return err
			}
			fmt.Println(now.Version) // It is acknowledged.
		}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// killsEnv is how often the process is killed.
const killsEnv = "ANTEROOM_TEST_POLICY_KILLS"

// Killed at any moment, nothing is half there: each revision has its content, and what is active is the last revision that was acknowledged, or the one that was
// just being activated. A process that starts then decides by it, and by nothing else.
func TestKilledAtAnyMoment(t *testing.T) {
	s, cfg := storetest.Reused(t)
	text, err := json.Marshal(handed{cfg, cfg.Password})
	if err != nil {
		t.Fatal(err)
	}
	w, err := writer(s)
	if err != nil {
		t.Fatal(err)
	}
	kills := 8
	if text := os.Getenv(killsEnv); text != "" {
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	var version uint64
	unacknowledged := 0
	for range kills {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), killedEnv+"="+string(text))
		child.Stderr = os.Stderr
		said, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		told := bufio.NewScanner(said)
		if !told.Scan() { // It has activated something.
			t.Fatal("the process activates nothing")
		}
		acknowledged := told.Text()
		after := time.AfterFunc(rand.N(400*time.Millisecond), func() { _ = child.Process.Kill() })
		for told.Scan() {
			acknowledged = told.Text()
		}
		after.Stop()
		_ = child.Wait()
		last, err := strconv.ParseUint(acknowledged, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		version = whole(t, w, version)
		if version != last && version != last+1 {
			t.Fatalf("activation %d was acknowledged, and %d is active", last, version)
		}
		unacknowledged += int(version - last)
		decidesBy(t, s, w)
	}
	t.Logf("%d activations, %d of which were active and had not been acknowledged when the process was killed", version, unacknowledged)
}

// decidesBy starts a process, which has to decide by what is active, for each who asks.
func decidesBy(t *testing.T, s *store.Store, w *revisions.Service) {
	t.Helper()
	active, err := w.Active(t.Context(), org)
	if err != nil {
		t.Fatal(err)
	}
	_, content, err := w.Revision(t.Context(), org, active.Revision)
	if err != nil {
		t.Fatal(err)
	}
	r, end := process(t, s, policy.Config{})
	defer end()
	if d := r.decide("guest"); d.Error != policy.FailedNotLoaded && d.Revision != active.RuntimeRevision {
		t.Errorf("before it has read what is active: %+v", d)
	}
	<-r.follower.Ready()
	for range 20 {
		d := r.decide("guest")
		if d.Revision != active.RuntimeRevision || len(d.Reasons) != 1 || !strings.Contains(content.Files["guests.rego"], "reason: "+string(d.Reason())+"\n") {
			t.Fatalf("decided %+v, want by %s:\n%s", d, active.RuntimeRevision, content.Files["guests.rego"])
		}
	}
}

// whole checks that everything that is named is there; the version of what is active.
func whole(t *testing.T, w *revisions.Service, since uint64) uint64 {
	t.Helper()
	list, err := w.Revisions(t.Context(), org)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range list {
		if _, _, err := w.Revision(t.Context(), org, r.Number); err != nil || r.Number != len(list)-i {
			t.Fatalf("revision %d: %v", r.Number, err)
		}
	}
	active, err := w.Active(t.Context(), org)
	if err != nil || active.Version <= since {
		t.Fatalf("active %+v after version %d: %v", active, since, err)
	}
	r, _, err := w.Revision(t.Context(), org, active.Revision)
	if err != nil || r.Digest != active.Digest || r.State != revisions.StateActive {
		t.Fatalf("active is %+v, the revision %+v, %v", active, r, err)
	}
	return active.Version
}
