package retention_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// newKeptOnShards is newKept on a cluster of two shards.
func newKeptOnShards(t *testing.T) (*kept, []*ownEngine) {
	t.Helper()
	ports, err := embedded.FreePorts(4)
	if err != nil {
		t.Fatal(err)
	}
	const password = "of-the-test-cluster"
	var shards [][]embedded.Node
	for i := range 2 {
		shards = append(shards, []embedded.Node{{Host: "127.0.0.1", Port: ports[2*i], User: "anteroom", Password: password}})
	}
	var engines []*ownEngine
	for i := range shards {
		cfg := embedded.DefaultClickHouseConfig(t.TempDir())
		cfg.NativePort, cfg.HTTPPort, cfg.Password, cfg.Unsynced, cfg.MemoryRatio = ports[2*i], ports[2*i+1], password, true, 0.25
		cfg.Cluster = &embedded.Cluster{Name: "test", Shards: shards, Macros: map[string]string{"shard": fmt.Sprint(i + 1), "replica": "1"}}
		engine := &ownEngine{cfg: cfg}
		engine.start(t)
		t.Cleanup(func() { _ = engine.running.Close() })
		engines = append(engines, engine)
	}
	first := engines[0].running
	cfg := store.DefaultConfig()
	cfg.Addresses, cfg.Username, cfg.Password = []string{first.Addr()}, first.User(), first.Password()
	cfg.Cluster, cfg.Replicated = "test", false
	if _, err := store.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &kept{t: t, s: s, cfg: cfg, sql: storetest.NewSQL(t, cfg), key: []byte("a key of the test's own"), files: files{}}, engines
}

// shardCalls are calls on several shards: in each, a guest has the copies of two messages, of which the second has taken the first one's place.
const shardCalls = 8

// shardDue is when both copies of each have to be gone.
var shardDue = noon.Add(30*keptDay + 2*time.Minute)

func shardCall(n int) string { return fmt.Sprintf("018f0000-0000-7000-8000-%012d", n) }

func shardMeeting(n int) uuid.UUID { return id(66666666, n) }

// decideOnShard decides about the copies of a call.
func (k *kept) decideOnShard(n int, held bool) {
	k.t.Helper()
	k.insert(fmt.Sprintf(`INSERT INTO retention_decisions (org, meeting_id, class, resource_id, period_s, held, rule_id, decided_at, seq)
		VALUES ('%s', '%s', 'copy', '%s', %d, %v, 'default', now64(6), %d)`, keptOrg, shardMeeting(n), keptResource, int64(30*keptDay/time.Second), held, seq.Add(1)))
}

// sayOnShards stores the copies, and decides about them.
func (k *kept) sayOnShards(held func(n int) bool) {
	k.t.Helper()
	for n := range shardCalls {
		for m := 1; m <= 2; m++ {
			sent := noon.Add(time.Duration(m-1) * time.Minute)
			b := store.NewBatch()
			b.Reset("topic", 0)
			in := store.KeptIn{Org: keptOrg, CallID: shardCall(n), MeetingID: shardMeeting(n)}
			at := store.Origin{Offset: int64(10*n + m)}
			b.Heads = append(b.Heads, store.Head{KeptIn: in, HolderID: guest(1), MessageID: message(m), SentAt: sent})
			b.Kept.Add(at, store.Kept{KeptIn: in, Class: store.ClassCopy, ItemID: message(m), HolderID: guest(1), ResourceID: keptResource, SentAt: sent})
			b.Texts.Add(at, store.Text{KeptIn: in, Class: store.ClassCopy, MessageID: message(m), SentAt: sent, RevisedAt: sent, Content: fmt.Sprint("text ", m)})
			if err := k.s.Insert(k.t.Context(), b, uuid.NewString()); err != nil {
				k.t.Fatal(err)
			}
		}
		k.decideOnShard(n, held(n))
	}
	if n := k.sql.Count("SELECT uniqExact(_shard_num) FROM retained"); n != 2 {
		k.t.Fatalf("the rows are on %d shards", n)
	}
}

// wantShardsEmpty wants nothing left but evidence of all.
func (k *kept) wantShardsEmpty() {
	k.t.Helper()
	if n := k.sql.Count("SELECT (SELECT count() FROM texts) + (SELECT count() FROM retained) + (SELECT count() FROM hidden)"); n != 0 {
		k.t.Errorf("%d rows are left", n)
	}
	if got := len(k.evidence()); got != 2*shardCalls {
		k.t.Errorf("evidence of %d copies, want %d", got, 2*shardCalls)
	}
	k.leavesOf(false)
}

// TestRule_R6_OnEachShard: what is purged is on several shards, each of which deletes and is checked by itself; holds are known on one of them.
func TestRule_R6_OnEachShard(t *testing.T) {
	k, _ := newKeptOnShards(t)
	k.sayOnShards(func(n int) bool { return n%2 == 0 })
	s := k.sweeper()
	if r := k.sweep(s, shardDue); r.Hidden != 2*shardCalls || r.Purged != shardCalls {
		t.Errorf("with half of them held: %+v", r)
	}
	if n := k.sql.Count("SELECT count() FROM texts"); n != shardCalls {
		t.Errorf("%d texts with half of them held", n)
	}
	for n := range shardCalls {
		k.decideOnShard(n, false)
	}
	k.sweep(s, shardDue.Add(time.Hour))
	k.wantShardsEmpty()
	for n := range shardCalls {
		want := proof.ThingID(k.key, proof.Copy, "emea", keptOrg, shardCall(n), message(1), guest(1))
		found := false
		for _, e := range k.evidence() {
			found = found || e.CopyID == want && e.Why == "superseded"
		}
		if !found {
			t.Errorf("no evidence of the superseded copy of call %d", n)
		}
	}
}

// TestRule_R6_ANodeThatIsDownIsWaitedFor: while a node can't be asked nothing is called gone, though it is on the others. When it is back, the next sweep goes on.
func TestRule_R6_ANodeThatIsDownIsWaitedFor(t *testing.T) {
	for _, step := range []string{"captured", "deleted"} {
		t.Run(step, func(t *testing.T) {
			k, engines := newKeptOnShards(t)
			k.sayOnShards(func(int) bool { return false })
			s := k.sweeper()
			at(s, step, func() { engines[1].kill(t) })
			for range 2 {
				if r := k.attempt(s, shardDue); !r.Partial || r.Purged > 0 {
					t.Errorf("while a node is down: %+v", r)
				}
			}
			engines[1].start(t)
			if got := k.sql.Count("SELECT (SELECT count() FROM evidence) + (SELECT count() FROM tombstones)"); got > 0 {
				t.Errorf("%d rows say that something is gone, although a node could not be asked", got)
			}
			k.sweep(s, shardDue)
			k.wantShardsEmpty()
		})
	}
}
