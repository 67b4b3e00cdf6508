package ingest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
)

const (
	victimFar         = "amer"
	victimFarDatabase = "anteroom_amer"
	victimCalls       = 20
)

// runChat runs both regions' ingest, keepers of their keys, and media that says things.
func (p victimPlan) runChat(ctx context.Context, cfg ingest.Config, deps ingest.Deps, engine *embedded.ClickHouse) error {
	storeConfig := victimStore(victimEngine{Addr: engine.Addr(), User: engine.User(), Password: engine.Password()})
	storeConfig.Database = victimFarDatabase
	if _, err := store.Migrate(ctx, storeConfig); err != nil {
		return err
	}
	far, err := store.Open(storeConfig)
	if err != nil {
		return err
	}
	if err := ingest.EnsureCopiesTopics(ctx, deps.Kafka, cfg, victimFar); err != nil {
		return err
	}
	keys := sealing.DefaultConfig()
	keys.Dir = filepath.Join(p.Dir, "keys")
	keeper := func(region string, progress *ingest.Progress) (*sealing.Keeper, error) {
		return sealing.NewKeeper(keys, region, sealing.KeeperDeps{Home: deps.Store, Progress: progress, Log: deps.Log})
	}
	homeKeys, err := keeper(cfg.Region, ingest.NewProgress(cfg, deps.Kafka))
	if err != nil {
		return err
	}
	farKeys, err := keeper(victimFar, ingest.NewFurtherProgress(cfg, victimFar, deps.Kafka, deps.Kafka))
	if err != nil {
		return err
	}
	ring, err := sealing.NewRing(sealing.RingDeps{Home: deps.Store})
	if err != nil {
		return err
	}
	farDeps := ingest.Deps{Kafka: deps.Kafka, Store: far, Chat: farKeys, Metrics: prometheus.NewRegistry(), Log: deps.Log}
	deps.Chat, deps.Regions = homeKeys, map[string]*kafka.Client{victimFar: deps.Kafka}
	home, err := ingest.New(cfg, deps)
	if err != nil {
		return err
	}
	further, err := ingest.NewFurther(cfg, victimFar, farDeps)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{homeKeys.Run, farKeys.Run, ring.Run, home.Run, further.Run} {
		group.Go(func() error { return run(ctx) })
	}
	if err := ring.Await(ctx, cfg.Region, victimFar); err != nil {
		return err
	}
	if err := p.tell(engine); err != nil {
		return err
	}
	group.Go(func() error {
		const chunk, overlap = 100, 150
		return p.produceAll(ctx, deps.Kafka, p.Chat, chunk, overlap, func(n int) (*eventpb.Event, error) { return chatActOf(n, ring) })
	})
	return group.Wait()
}

// roundOf tells what is done in a round of acts, one per call: a message is sent, or the one of the round before is edited or deleted.
func roundOf(round int) (act eventpb.Chat_Act, message int) {
	switch round % 10 {
	case 3:
		return eventpb.Chat_ACT_EDITED, round - 1
	case 7:
		return eventpb.Chat_ACT_DELETED, round - 1
	}
	return eventpb.Chat_ACT_SENT, round
}

// chatActOf makes the nth act: of one of some calls, each a source of its own. Made again it is the same but for how it is sealed.
func chatActOf(n int, ring *sealing.Ring) (*eventpb.Event, error) {
	call, round := fmt.Sprintf("call-%d", n%victimCalls), n/victimCalls
	id := func(what string, n int) uuid.UUID {
		return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, call, what, n))
	}
	act, message := roundOf(round)
	at := func(round int) time.Time { return baseTime.Add(time.Duration(round) * time.Second) }
	author, name, near, far := id("author", 0), id("message", message), id("near", message), id("far", message)
	chat := &eventpb.Chat{
		ParticipantId: author[:], MessageId: name[:], Act: act, MeetingId: id("meeting", 0).String(), SentAtUs: at(message).UnixMicro(),
		Copies: []*eventpb.ChatCopy{{Region: victimRegion}, {Region: victimFar}},
	}
	e := &eventpb.Event{
		Id: id("act", round).String(), Org: "clinic", Region: victimRegion, CallId: call, Source: "media/victim/" + call, Sequence: uint64(round + 1),
		SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA, ObservedAtUs: at(round).UnixMicro(), Payload: &eventpb.Event_Chat{Chat: chat},
	}
	if act == eventpb.Chat_ACT_SENT {
		resource := uuid.NewSHA1(uuid.NameSpaceOID, []byte("application")).String()
		chat.Copies[0].Holders = []*eventpb.ChatHolder{{ParticipantId: near[:], ResourceId: resource}}
		chat.Copies[1].Holders = []*eventpb.ChatHolder{{ParticipantId: far[:], ResourceId: resource}}
	}
	if act == eventpb.Chat_ACT_DELETED {
		return e, nil
	}
	text, err := event.ChatContent{Text: fmt.Sprintf("%s %d of round %d", call, message, round)}.Marshal()
	if err != nil {
		return nil, err
	}
	sealed, err := ring.Seal(victimRegion, event.SealingContext(e, victimRegion), text)
	if err != nil {
		return nil, err
	}
	chat.SealingKeyId, chat.SealedText = sealed.KeyID, sealed.Text
	if sealed, err = ring.Seal(victimFar, event.SealingContext(e, victimFar), text); err != nil {
		return nil, err
	}
	chat.Copies[1].SealingKeyId, chat.Copies[1].SealedText = sealed.KeyID, sealed.Text
	return e, nil
}

// TestKilledAtAnyMomentChatIsThereOnce kills broker, ClickHouse, media, copier and the ingest of both regions together at random moments while things are
// said, edited and deleted, and lets the last run finish.
func TestKilledAtAnyMomentChatIsThereOnce(t *testing.T) {
	kills, rounds := 5, 100
	if os.Getenv("CI") == "true" {
		kills, rounds = 30, 600
	}
	if n := os.Getenv("ANTEROOM_TEST_KILLS"); n != "" { // make torture
		var err error
		if kills, err = strconv.Atoi(n); err != nil {
			t.Fatalf("ANTEROOM_TEST_KILLS: %v", err)
		}
		rounds = 20 * kills
	}
	plan := victimPlan{Dir: t.TempDir(), Chat: rounds * victimCalls}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range kills {
		v := startVictim(t, plan)
		if random.IntN(10) > 0 {
			v.up(t, plan.Dir)
		}
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		v.reads(plan.Dir)
		v.kill()
	}
	v := startVictim(t, plan)
	v.up(t, plan.Dir)
	sent, deleted, edited := 0, 0, 0
	for round := range rounds {
		switch act, _ := roundOf(round); act {
		case eventpb.Chat_ACT_EDITED:
			edited += victimCalls
		case eventpb.Chat_ACT_DELETED:
			deleted += victimCalls
		default:
			sent += victimCalls
		}
	}
	home, far := v.connect(t), v.connectTo(t, victimFarDatabase)
	waitFor(t, home, uint64(2*sent), "SELECT count() FROM retained")
	waitFor(t, far, uint64(sent), "SELECT count() FROM retained")
	waitFor(t, home, uint64(deleted), "SELECT uniqExact(message_id) FROM retractions")
	waitFor(t, far, uint64(deleted), "SELECT uniqExact(message_id) FROM retractions")
	time.Sleep(2 * time.Second) // were there more to come, they would come now
	for conn, copies := range map[driver.Conn]int{home: sent, far: sent} {
		threads := 0
		if conn == home {
			threads = sent
		}
		expectNumbers(t, conn, map[string]int{
			"SELECT count() FROM retained WHERE class = 'thread'":                                                                     threads,
			"SELECT uniqExact(item_id) FROM retained WHERE class = 'thread'":                                                          threads,
			"SELECT count() FROM retained WHERE class = 'copy'":                                                                       copies,
			"SELECT uniqExact(item_id, holder_id) FROM retained WHERE class = 'copy'":                                                 copies,
			"SELECT uniqExact(holder_id) FROM copy_heads":                                                                             copies,
			"SELECT count() - uniqExact(class, message_id, revised_at) FROM texts":                                                    0,
			"SELECT count() - uniqExact(_topic, _partition, _offset, _index) FROM texts":                                              0,
			"SELECT count() FROM dead_letters":                                                                                        0,
			"SELECT uniqExact(message_id) FROM texts WHERE class = 'copy' AND message_id NOT IN (SELECT message_id FROM retractions)": copies - deleted,
			"SELECT count() FROM (SELECT argMax(text, revised_at) AS last FROM texts WHERE class = 'copy' GROUP BY message_id) WHERE extract(last, ' ([0-9]+) of') != extract(last, 'round ([0-9]+)')": edited,
		})
	}
	t.Logf("%d kills, %d messages, %d edits, %d deletions", kills, sent, edited, deleted)
}

func expectNumbers(t *testing.T, conn driver.Conn, want map[string]int) {
	t.Helper()
	for query, n := range want {
		var got int64
		if err := conn.QueryRow(t.Context(), "SELECT toInt64(("+query+"))").Scan(&got); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if got != int64(n) {
			t.Errorf("%s: got %d, want %d", query, got, n)
		}
	}
}

func (v *victim) connectTo(t *testing.T, database string) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{v.engine.Addr}, Auth: clickhouse.Auth{Database: database, Username: v.engine.User, Password: v.engine.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
