package nodes_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/media/nodes"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

const lease = time.Second

// node is one that can be ended in order, or fall silent.
type node struct {
	*nodes.Nodes
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error
}

// start makes a node give signs of life, and waits until it holds what it claims.
func start(t *testing.T, s *store.Store, url string) *node {
	t.Helper()
	n := newNode(t, s, url)
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	go func() { n.ended <- n.Run(ctx) }()
	t.Cleanup(func() { n.cancel(); n.ended <- <-n.ended })
	for !n.Holds() {
		time.Sleep(10 * time.Millisecond)
	}
	return n
}

func newNode(t *testing.T, s *store.Store, url string) *node {
	t.Helper()
	made, err := nodes.New(nodes.Config{URL: url, Lease: lease}, nodes.Deps{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	return &node{Nodes: made, t: t, ended: make(chan error, 1)}
}

// end says that the node is over.
func (n *node) end() {
	n.t.Helper()
	n.cancel()
	err := <-n.ended
	n.ended <- err
	if err != nil {
		n.t.Fatal(err)
	}
}

// has fails unless Take answers so.
func (n *node) has(meeting, elsewhere string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 30*time.Second)
	defer cancel()
	got, err := n.Take(ctx, meeting)
	if err != nil || got != elsewhere {
		n.t.Errorf("meeting %s is at %q (%v), want %q", meeting, got, err, elsewhere)
	}
}

func TestOneNodeHasAMeeting(t *testing.T) {
	s := storetest.New(t)
	all := []*node{start(t, s, "http://a"), start(t, s, "http://b"), start(t, s, "http://c")}
	const meetings = 20
	var mu sync.Mutex
	owners := map[int]map[string]bool{}
	var asking sync.WaitGroup
	for m := range meetings {
		for i, n := range all {
			asking.Go(func() {
				at, err := n.Take(t.Context(), string(rune('a'+m)))
				if err != nil {
					t.Error(err)
				}
				if at == "" {
					at = []string{"http://a", "http://b", "http://c"}[i]
				}
				mu.Lock()
				defer mu.Unlock()
				if owners[m] == nil {
					owners[m] = map[string]bool{}
				}
				owners[m][at] = true
			})
		}
	}
	asking.Wait()
	for m := range meetings {
		if len(owners[m]) != 1 {
			t.Errorf("meeting %d is at %v", m, owners[m])
		}
	}
}

func TestWhoEndsIsTakenOverFromAtOnce(t *testing.T) {
	s := storetest.New(t)
	a, b := start(t, s, "http://a"), start(t, s, "http://b")
	a.has("m", "")
	b.has("m", "http://a")
	gone, until := uuid.NewString(), time.Now().Add(time.Hour)
	if err := a.Revoke(t.Context(), gone, until); err != nil {
		t.Fatal(err)
	}
	if b.Revoked(gone) {
		t.Error("what is gone elsewhere is known before it is needed: this proves nothing below")
	}
	a.end()
	b.has("m", "")
	if !b.Revoked(gone) || b.Revoked(uuid.NewString()) {
		t.Error("who took over doesn't know what is gone")
	}
	if url, shared, err := newNode(t, s, "").Find(t.Context(), "m"); err != nil || !shared || url != "http://b" {
		t.Errorf("found at %q, %v, %v", url, shared, err)
	}
}

// A node that is silent is taken over from after its lease, but never by one that wasn't heard for so long itself; when it is heard again it hands over.
func TestSilence(t *testing.T) {
	s := storetest.New(t)
	silent := newNode(t, s, "http://silent")
	silent.has("m", "") // it is heard for the first time, and never again
	young := start(t, s, "http://young")
	ctx, cancel := context.WithTimeout(t.Context(), lease/2)
	defer cancel()
	if at, err := young.Take(ctx, "m"); at == "" && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a node that has just come has taken over: %q, %v", at, err)
	}
	for at := "unknown"; at != ""; { // while it counts as living, it is named
		var err error
		if at, err = young.Take(t.Context(), "m"); err != nil {
			t.Fatal(err)
		}
	}

	lost := make(chan string, 10)
	silent.Watch(func() []string { return []string{"m", "n"} }, func(m string) { lost <- m })
	time.Sleep(lease + lease/2) // this is what it is about: it says nothing
	silent.has("n", "")
	if silent.Holds() {
		t.Error("a node that was silent holds meetings before it has looked")
	}
	run, stop := context.WithCancel(context.Background())
	go func() { silent.ended <- silent.Run(run) }()
	select {
	case m := <-lost:
		if m != "m" {
			t.Errorf("it has handed over %q", m)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it hands nothing over")
	}
	for !silent.Holds() {
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if err := <-silent.ended; err != nil {
		t.Error(err)
	}
}

func TestATokenIsUsedOnce(t *testing.T) {
	s := storetest.New(t)
	all := []*node{newNode(t, s, "http://a"), newNode(t, s, "http://b")}
	var mu sync.Mutex
	firsts := 0
	var using sync.WaitGroup
	for i := range 10 {
		using.Go(func() {
			first, err := all[i%2].First(t.Context(), "the token", time.Now().Add(time.Minute))
			if err != nil {
				t.Error(err)
			}
			if first {
				mu.Lock()
				firsts++
				mu.Unlock()
			}
		})
	}
	using.Wait()
	if firsts != 1 {
		t.Errorf("%d were the first", firsts)
	}
	if first, err := all[0].First(t.Context(), "another token", time.Now().Add(time.Minute)); err != nil || !first {
		t.Errorf("another token: %v, %v", first, err)
	}
}
