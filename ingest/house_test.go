package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// house is a home region and a further one, with keys of both, and media that seals to them.
type house struct {
	home, far *place
	ring      *sealing.Ring
	// ahead is by how much the keepers' clock is ahead.
	mu    sync.Mutex
	ahead time.Duration
}

// place is one region.
type place struct {
	*rig
	name     string
	further  bool
	keeper   *sealing.Keeper
	progress *ingest.Progress
}

// newHouse makes a house whose regions share a broker.
func newHouse(t *testing.T) *house {
	t.Helper()
	cfg := brokerConfig(t)
	return newHouseOn(t, newRigOn(t, cfg), cfg)
}

// newHouseOn makes a house of a home region that is there and a further one on a broker.
func newHouseOn(t *testing.T, home *rig, farBroker kafka.Config) *house {
	t.Helper()
	storage, cfg := storetest.NewConfig(t)
	client, err := kafka.New(farBroker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return newHouseOf(t, home, farRig(t, home, client, storage, cfg))
}

// farRig is a rig of a further region of a home region.
func farRig(t *testing.T, home *rig, client *kafka.Client, storage *store.Store, cfg store.Config) *rig {
	t.Helper()
	r := &rig{cfg: home.cfg, storage: cfg, metrics: prometheus.NewRegistry()}
	r.deps = ingest.Deps{Kafka: client, Store: storage, Metrics: r.metrics, Log: slog.New(slog.NewTextHandler(t.Output(), nil)).With("region", "far")}
	var err error
	if r.conn, err = clickhouse.Open(&clickhouse.Options{
		Addr: cfg.Addresses, Auth: clickhouse.Auth{Database: cfg.Database, Username: cfg.Username, Password: cfg.Password},
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.conn.Close() })
	return r
}

func newHouseOf(t *testing.T, home, far *rig) *house {
	t.Helper()
	h := &house{home: &place{rig: home, name: home.cfg.Region}, far: &place{rig: far, name: home.cfg.Region + "-far", further: true}}
	keys := sealing.DefaultConfig()
	keys.Dir = filepath.Join(t.TempDir(), "keys")
	h.home.progress = ingest.NewProgress(home.cfg, home.deps.Kafka)
	h.far.progress = ingest.NewFurtherProgress(home.cfg, h.far.name, home.deps.Kafka, far.deps.Kafka)
	var err error
	for _, p := range []*place{h.home, h.far} {
		if p.keeper, err = sealing.NewKeeper(keys, p.name, sealing.KeeperDeps{Home: home.deps.Store, Progress: passes{h, p.progress}, Now: h.now}); err != nil {
			t.Fatal(err)
		}
		p.deps.Chat = p.keeper
		if err := p.keeper.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	home.deps.Regions = map[string]*kafka.Client{h.far.name: far.deps.Kafka}
	if h.ring, err = sealing.NewRing(sealing.RingDeps{Home: home.deps.Store, Now: h.now}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.ring.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ring ended with: %v", err)
		}
	})
	if err := h.ring.Await(t.Context(), h.home.name, h.far.name); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.ahead)
}

// forward turns the keepers' clock.
func (h *house) forward(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ahead += d
}

// passes is a place's progress by the keepers' clock.
type passes struct {
	h *house
	p *ingest.Progress
}

func (p passes) Ingested(ctx context.Context, before time.Time) (bool, error) {
	return p.p.Ingested(ctx, before.Add(time.Since(p.h.now())))
}

// start runs the place's ingest, at home the copiers too, until the returned function is called.
func (p *place) start(t *testing.T) (stop func()) {
	t.Helper()
	_, stop = p.service(t)
	return stop
}

func (p *place) service(t *testing.T) (*ingest.Service, func()) {
	t.Helper()
	p.ensureTopics(t)
	if p.further {
		return p.run(t, func(cfg ingest.Config, deps ingest.Deps) (*ingest.Service, error) {
			return ingest.NewFurther(cfg, p.name, deps)
		})
	}
	return p.run(t, ingest.New)
}

func (p *place) ensureTopics(t *testing.T) {
	t.Helper()
	var err error
	if p.further {
		err = ingest.EnsureCopiesTopics(t.Context(), p.deps.Kafka, p.cfg, p.name)
	} else {
		err = ingest.EnsureTopics(t.Context(), p.deps.Kafka, p.cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// caughtUp waits until all that was produced before is ingested.
func (p *place) caughtUp(t testing.TB) {
	t.Helper()
	asked := time.Now()
	for {
		done, err := p.progress.Ingested(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			return
		}
		if time.Since(asked) > time.Minute {
			t.Fatalf("%s has not ingested all after a minute", p.name)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// meeting is one call that chat is said in. Acts have a source each, so that they may come in any order.
type meeting struct {
	h             *house
	org, call     string
	id            uuid.UUID
	began         time.Time
	acts, records int
}

// guest is a participant and the region of its resource.
type guest struct {
	id, resource uuid.UUID
	region       string
}

func (h *house) meeting() *meeting {
	return &meeting{h: h, org: "clinic", call: uuid.Must(uuid.NewV7()).String(), id: uuid.New(), began: time.Now().UTC().Truncate(time.Microsecond)}
}

func (h *house) guest(of *place) guest { return guest{uuid.New(), uuid.New(), of.name} }

// said is a message.
type said struct {
	id, author uuid.UUID
	at         time.Time
	shown      []guest
}

// at is the moment of the nth act of a meeting.
func (m *meeting) at(n int) time.Time { return m.began.Add(time.Duration(n) * 10 * time.Millisecond) }

// clock is the moment of the next act.
func (m *meeting) clock() time.Time {
	m.acts++
	return m.at(m.acts)
}

// sent is a message with its text; who is named is shown it.
func (m *meeting) sent(t testing.TB, text string, shown ...guest) (*said, *eventpb.Event) {
	t.Helper()
	s := &said{id: uuid.New(), author: uuid.New(), at: m.clock(), shown: shown}
	return s, m.act(t, s, eventpb.Chat_ACT_SENT, s.at, text)
}

func (m *meeting) edited(t testing.TB, s *said, text string) *eventpb.Event {
	t.Helper()
	return m.act(t, s, eventpb.Chat_ACT_EDITED, m.clock(), text)
}

func (m *meeting) deleted(t testing.TB, s *said) *eventpb.Event {
	t.Helper()
	return m.act(t, s, eventpb.Chat_ACT_DELETED, m.clock(), "")
}

// content is a text as it is stored.
func content(t testing.TB, text string) string {
	t.Helper()
	b, err := event.ChatContent{Text: text}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// act makes the event of an act as media does.
func (m *meeting) act(t testing.TB, s *said, act eventpb.Chat_Act, at time.Time, text string) *eventpb.Event {
	t.Helper()
	chat := &eventpb.Chat{ParticipantId: s.author[:], MessageId: s.id[:], Act: act, MeetingId: m.id.String(), SentAtUs: s.at.UnixMicro()}
	e := m.event(at)
	e.Payload = &eventpb.Event_Chat{Chat: chat}
	copies := map[string]*eventpb.ChatCopy{}
	for _, g := range s.shown {
		if copies[g.region] == nil {
			copies[g.region] = &eventpb.ChatCopy{Region: g.region}
			chat.Copies = append(chat.Copies, copies[g.region])
		}
		if act == eventpb.Chat_ACT_SENT {
			copies[g.region].Holders = append(copies[g.region].Holders, &eventpb.ChatHolder{ParticipantId: g.id[:], ResourceId: g.resource.String()})
		}
	}
	if act == eventpb.Chat_ACT_DELETED {
		return e
	}
	seal := func(region string) (string, []byte) {
		sealed, err := m.h.ring.Seal(region, event.SealingContext(e, region), []byte(content(t, text)))
		if err != nil {
			t.Fatal(err)
		}
		return sealed.KeyID, sealed.Text
	}
	chat.SealingKeyId, chat.SealedText = seal(m.h.home.name)
	for _, c := range chat.Copies {
		if c.Region != m.h.home.name {
			c.SealingKeyId, c.SealedText = seal(c.Region)
		}
	}
	return e
}

// event is an event of the call, from a source of its own.
func (m *meeting) event(at time.Time) *eventpb.Event {
	m.records++
	return &eventpb.Event{
		Id: event.NewID(), Org: m.org, Region: m.h.home.name, CallId: m.call, Source: fmt.Sprintf("media/%s/%d", m.call, m.records), Sequence: 1,
		ObservedAtUs: at.UnixMicro(), SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA,
	}
}

// thread reads what the meeting's thread says.
func (m *meeting) thread(t testing.TB) []string {
	t.Helper()
	r := store.NewReader(m.h.home.deps.Store, store.QueryLimits{})
	list, err := r.ThreadMessages(t.Context(), m.org, m.id, time.Now(), nil, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{}
	for _, one := range list {
		c, err := event.ParseChatContent(one.Content)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, c.Text)
	}
	return texts
}

// copied reads a guest's copy; "" if there is none.
func (m *meeting) copied(t testing.TB, g guest) string {
	t.Helper()
	of := m.h.home
	if g.region == m.h.far.name {
		of = m.h.far
	}
	key := store.HolderKey{CallKey: store.CallKey{Org: m.org, CallID: m.call}, MeetingID: m.id, HolderID: g.id}
	got, err := store.NewReader(of.deps.Store, store.QueryLimits{}).Copy(t.Context(), key, time.Now())
	if errors.Is(err, store.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := event.ParseChatContent(got.Content)
	if err != nil {
		t.Fatal(err)
	}
	return c.Text
}
