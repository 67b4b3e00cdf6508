package retention_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// line is a connection to a server that can be cut and mended.
type line struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	cut   bool       // guarded by mu
	conns []net.Conn // guarded by mu
}

// newLine listens in front of a server until the test ends.
func newLine(t *testing.T, to string) *line {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, to: to}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(conn)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		l.set(true)
	})
	return l
}

func (l *line) carry(conn net.Conn) {
	defer conn.Close()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.to)
	if err != nil {
		return
	}
	defer server.Close()
	l.mu.Lock()
	cut := l.cut
	l.conns = append(l.conns, conn, server)
	l.mu.Unlock()
	if cut {
		return
	}
	go func() { _, _ = io.Copy(server, conn); _ = server.Close() }()
	_, _ = io.Copy(conn, server)
}

// set cuts or mends the line.
func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut = cut; cut {
		for _, conn := range l.conns {
			_ = conn.Close()
		}
		l.conns = nil
	}
}

// behind gives a store on the database of a test's store, through a line.
func behind(t *testing.T, cfg store.Config) (*store.Store, *line) {
	t.Helper()
	l := newLine(t, cfg.Addresses[0])
	cfg.Addresses = []string{l.listener.Addr().String()}
	cfg.DialTimeout = time.Second
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, l
}

func TestNothingChangesWithoutTheHomeRegion(t *testing.T) {
	h := newHouse(t)
	meeting := h.chat("ada")
	home, lines := behind(t, h.configs["emea"])
	d, err := retention.NewDecider(retention.DefaultConfig(), retention.DeciderDeps{Directory: h.rows, Home: home, Regions: h.regions, Policy: h.engine})
	h.must(err)
	lines.set(true)
	if n, err := d.Pass(t.Context(), noon); err == nil || n != 0 || !strings.Contains(err.Error(), "home region") {
		t.Errorf("the home region is away: %d decisions, %v", n, err)
	}
	h.want(meeting, answer{}, answer{})
	if _, err := h.regions["amer"].DecisionMark(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a region was marked: %v", err)
	}
	lines.set(false)
	if _, err := d.Pass(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	h.want(meeting, keptThread(), byDefault())
	before, err := h.regions["amer"].DecisionMark(t.Context())
	h.must(err)
	// What changes meanwhile is not acted on, and the region's decisions get old.
	lines.set(true)
	id := h.policy(everybody(), del, 1)
	if _, err := d.Pass(t.Context(), noon); err == nil {
		t.Error("the home region is away again, and nothing fails")
	}
	h.want(meeting, keptThread(), byDefault())
	if mark, err := h.regions["amer"].DecisionMark(t.Context()); err != nil || !mark.At.Equal(before.At) {
		t.Errorf("marked as of %v, before as of %v: %v", mark.At, before.At, err)
	}
	lines.set(false)
	if _, err := d.Pass(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	one := answer{1, id, "shortest_deletion", false}
	h.want(meeting, one, one)
}

func TestARegionThatIsAwayCatchesUp(t *testing.T) {
	h := newHouse(t)
	meeting := h.chat("ada")
	amer, lines := behind(t, h.configs["amer"])
	d := h.newDecider(map[string]*store.Store{"emea": h.home(), "amer": amer})
	if _, err := d.Pass(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	lines.set(true)
	id := h.policy(everybody(), del, 1)
	one := answer{1, id, "shortest_deletion", false}
	_, err := d.Pass(t.Context(), noon)
	if err == nil || !strings.Contains(err.Error(), "region amer") || strings.Contains(err.Error(), "region emea") {
		t.Errorf("a region is away: %v", err)
	}
	h.want(meeting, one, byDefault())
	lines.set(false)
	if n, err := d.Pass(t.Context(), noon); err != nil || n != 1 {
		t.Errorf("it is back: %d decisions, %v", n, err)
	}
	h.want(meeting, one, one)
}

func TestMarksKnowOfEachChange(t *testing.T) {
	h := newHouse(t)
	h.pass()
	for i := range uint64(3) {
		h.policy(everybody(), del, 1+int(i))
		h.pass()
		for name, s := range h.regions {
			mark, err := s.DecisionMark(t.Context())
			if err != nil || mark.Seen != i+1 || !mark.Fresh(time.Minute) {
				t.Errorf("%s after %d changes: %+v, %v", name, i+1, mark, err)
			}
		}
	}
}

// TestAnotherPolicyOfPeriodsDecidesAnew: the operator has set other periods.
func TestAnotherPolicyOfPeriodsDecidesAnew(t *testing.T) {
	h := newHouse(t)
	meeting := h.meeting()
	h.kept(meeting, "recording", uuid.Nil, noon)
	h.pass()
	cfg := policy.DefaultConfig()
	cfg.Retention.RecordingDays = 7
	var err error
	h.engine, err = policy.NewRetention(cfg)
	h.must(err)
	if n, err := h.newDecider(h.regions).Pass(t.Context(), noon); err != nil || n != 1 {
		t.Errorf("%d decisions, %v", n, err)
	}
	if got := h.decided(meeting, "recording", uuid.Nil); got.Days != 7 {
		t.Errorf("decided %+v", got)
	}
}

// TestDecisionsAfterARestore: the home region was set back, and what its rows say now counts.
func TestDecisionsAfterARestore(t *testing.T) {
	h := newHouse(t)
	meeting := h.chat("ada")
	h.must(h.conns["amer"].Exec(t.Context(), `INSERT INTO retention_decisions (org, meeting_id, class, resource_id, period_s, rule_id, reason, basis, decided_at, seq)
		VALUES ('contoso', $1, 'copy', $2, 86400, 'gone', 'shortest_deletion', 1, now64(6), bitShiftLeft(toUInt64(9), 32))`, meeting, clinic))
	h.pass()
	h.want(meeting, keptThread(), byDefault())
	id := h.policy(everybody(), del, 1)
	h.pass()
	one := answer{1, id, "shortest_deletion", false}
	h.want(meeting, one, one)
}

// TestWhatCannotBeReadStopsDecisions: to go on as if a policy or a hold weren't there could delete early.
func TestWhatCannotBeReadStopsDecisions(t *testing.T) {
	h := newHouse(t)
	meeting := h.chat("ada")
	other := uuid.New()
	h.must(h.conns["emea"].Exec(t.Context(), `INSERT INTO retained (class, org, meeting_id, call_id, sent_at) VALUES ('thread', 'fabrikam', $1, 'call', now64(6))`, other))
	row, err := h.home().Put(t.Context(), store.Control{Kind: registry.KindHold, Org: "contoso", ID: uuid.NewString(), Value: json.RawMessage(`{"id":7}`), Author: "x"}, 0)
	h.must(err)
	_, err = h.decider.Pass(t.Context(), noon)
	if err == nil || !strings.Contains(err.Error(), row.ID) {
		t.Errorf("a hold can't be read: %v", err)
	}
	h.want(meeting, answer{}, answer{})
	if _, err := h.home().DecisionMark(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the region was marked: %v", err)
	}
	var n uint64
	h.must(h.conns["emea"].QueryRow(t.Context(), `SELECT count() FROM retention_decisions WHERE org = 'fabrikam'`).Scan(&n))
	if n != 1 {
		t.Errorf("the other organisation has %d decisions", n)
	}
	hold := directory.Hold{
		ID: row.ID, Org: "contoso", Meeting: meeting.String(), Reason: "Case 7", PlacedBy: "x", PlacedAt: noon, Nonce: fmt.Sprintf("%032d", 0),
	}
	_, err = h.rows.Holds.Put(t.Context(), hold, 1, "x")
	h.must(err)
	h.pass()
	if got := h.decided(meeting, "thread", uuid.Nil); !got.Held {
		t.Errorf("decided %+v", got)
	}
}

// TestManyChangedUsersAreOneChange: of their organisation as a whole.
func TestManyChangedUsersAreOneChange(t *testing.T) {
	h := newHouse(t)
	meeting := h.chat("ada")
	id := h.policy(query(`has office`), del, 1)
	h.pass()
	h.user(directory.User{ID: "ada", Org: "contoso", Name: "Ada", Attributes: map[string]string{"office": "7"}})
	for i := range 201 {
		h.user(directory.User{ID: fmt.Sprintf("user-%d", i), Org: "contoso", Name: "x"})
	}
	h.pass()
	one := answer{1, id, "shortest_deletion", false}
	h.want(meeting, one, one)
}
