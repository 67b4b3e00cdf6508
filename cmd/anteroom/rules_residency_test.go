package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/embedded"
)

// abroad are two regions, each with a broker and a ClickHouse of its own, and an `anteroom serve` for each.
type abroad struct {
	*rig
	dir string
	// far is the folder of the further region's engines, which is laid out like a data folder.
	far string
}

// newAbroad starts them. The engines of a region are in a folder of their own, so that what is in it can be searched.
func newAbroad(t *testing.T) *abroad {
	t.Helper()
	a := &abroad{dir: t.TempDir()}
	a.far = filepath.Join(a.dir, "amer")
	a.rig = &rig{data: filepath.Join(a.dir, "emea"), stderr: new(buffer), done: make(chan int, 1)}
	_, developers := issuers(t, a.dir)
	a.issuer = developers.provider
	environ := wideLimits(
		"ANTEROOM_LISTEN=127.0.0.1:0", "ANTEROOM_LABELLING_KEY="+strings.Repeat("k", 32), "ANTEROOM_IDENTITY_DEVELOPMENT_ISSUER="+developers.url,
		"ANTEROOM_IDENTITY_STATE_FOLDER="+filepath.Join(a.dir, "identity"), "ANTEROOM_SEALING_DIR="+filepath.Join(a.dir, "keys"),
		"ANTEROOM_LEDGER_DIR="+filepath.Join(a.dir, "ledger"), "ANTEROOM_EXPORTS_DIR="+filepath.Join(a.dir, "exports"),
		"ANTEROOM_SWEEP_INTERVAL=1s", "ANTEROOM_SWEEP_GATHER=1s",
	)
	broker, clickhouse := engines(t, a.data)
	environ = append(environ, "ANTEROOM_KAFKA_BROKERS="+broker.Addr(), "ANTEROOM_KAFKA_SASL_MECHANISM="+broker.Mechanism(),
		"ANTEROOM_KAFKA_SASL_USERNAME="+broker.User(), "ANTEROOM_KAFKA_SASL_PASSWORD="+broker.Password(),
		"ANTEROOM_CLICKHOUSE_ADDRESSES="+clickhouse.Addr(), "ANTEROOM_CLICKHOUSE_USERNAME="+clickhouse.User(),
		"ANTEROOM_CLICKHOUSE_PASSWORD="+clickhouse.Password())
	broker, clickhouse = engines(t, a.far)
	environ = append(environ, fmt.Sprintf(`ANTEROOM_REGIONS=[{name: amer, clickhouse: {addresses: [%q], username: %q, password: %q},
		kafka: {brokers: [%q], sasl: {mechanism: %q, username: %q, password: %q}}}]`, clickhouse.Addr(), clickhouse.User(), clickhouse.Password(),
		broker.Addr(), broker.Mechanism(), broker.User(), broker.Password()))

	var ctx context.Context
	ctx, a.cancel = context.WithCancel(context.Background())
	stdout := new(buffer)
	processes := [][]string{
		{"serve", "--json", "--migrate", "--regions=emea"},
		{"serve", "--roles=ingest,retention", "--regions=amer"},
	}
	ended := make(chan int, len(processes))
	serve := func(args []string) {
		go func() { ended <- run(ctx, args, environ, strings.NewReader(""), stdout, a.stderr) }()
	}
	go func() { a.done <- max(<-ended, <-ended) }()
	t.Cleanup(func() { a.cancel(); a.done <- <-a.done })
	serve(processes[0])
	in := &instance{t: t, stdout: stdout, stderr: a.stderr}
	in.awaitURL() // the tables are there
	serve(processes[1])
	in.awaitStatus("/readyz", http.StatusOK)
	a.url = in.url
	return a
}

// engines are those of one region.
func engines(t *testing.T, folder string) (*embedded.Broker, *embedded.ClickHouse) {
	t.Helper()
	broker, err := embedded.StartBroker(t.Context(), embedded.DefaultBrokerConfig(filepath.Join(folder, "kafka")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	clickhouse, err := embedded.StartClickHouse(t.Context(), embedded.DefaultClickHouseConfig(filepath.Join(folder, "clickhouse")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = clickhouse.Close() })
	return broker, clickhouse
}

// S4: of what is said in meetings without a guest of the other region, that region gets nothing: not in its tables, files, topics, dead letters or
// ledger, and it is in no log and no figure. Of a meeting with such a guest it keeps the guest's latest copy and nothing else.
func TestRule_S4_OtherRegionsGetNothing(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	h := newHouse(t, a.rig, nil)
	near, far := h.application(nil), h.application(fields{"region": "amer"})

	const meetings, people, each = 5, 5, 20 // five hundred messages
	var mu sync.Mutex
	var needles []needle
	speak := func(p *person, n int) (last string) {
		for i := range n {
			last = "said-" + strings.ToLower(rand.Text())
			mu.Lock()
			needles = append(needles, needle{fmt.Sprintf("message %d of %s", i, p.name), last})
			mu.Unlock()
			p.say(last)
		}
		return last
	}
	var wg sync.WaitGroup
	for range meetings {
		m := h.meeting(nil)
		host := m.user(organizer)
		members := []*person{host, m.user("bob"), m.user("eve"), m.user("ida"), m.admitted(host, near, "Greta")}
		if len(members) != people {
			t.Fatalf("%d people are in the meeting", len(members))
		}
		for _, p := range members {
			wg.Go(func() { speak(p, each) })
		}
	}
	wg.Wait()
	if len(needles) != meetings*people*each {
		t.Fatalf("%d messages were sent", len(needles))
	}
	m := h.meeting(nil)
	host := m.user(organizer)
	const ferdinand = "sub-of-ferdinand-4711"
	join := m.guestJoin(far, "Ferdinand")
	join.GuestToken = far.token(ferdinand, nil)
	guest := m.enter("Ferdinand", join)
	guest.do(host.Admit(host.soon(), guest.id()))
	guest.awaitState("admitted")
	latest := speak(host, 5)
	needles = needles[:len(needles)-1] // the latest is the guest's copy
	guest.awaitChat(latest)

	// All has come where it belongs, and the copies that were superseded are gone again.
	within(t, 5*rigPatience, "the further region has the latest copy only", func() (bool, string) {
		got := string(query(t, a.far, "SELECT text FROM texts FORMAT TSVRaw"))
		return strings.Count(got, "\n") == 1 && strings.Contains(got, latest), got
	})
	home := tables(t, a.data)
	eventually(t, "the home region has the threads", func() (bool, string) {
		home = tables(t, a.data)
		missing := len(needles) - len(found(home, needles))
		return missing == 0, fmt.Sprintf("%d messages are missing", missing)
	})

	// Whose guest he is, by the application's own id, is known in its region's own log, and at home nowhere: not in tables, topics or dead letters.
	within(t, 5*rigPatience, "the further region knows the application's guest", func() (bool, string) {
		got := string(query(t, a.far, "SELECT user_id FROM resource_log.guests FORMAT TSVRaw"))
		return strings.Contains(got, ferdinand), got
	})
	id := []needle{{"the id that an application gave its guest", ferdinand}}
	homeTopics := slices.Concat(flat(records(t, a.data, event.Topic("emea", event.Content))), flat(records(t, a.data, event.Topic("emea", event.Durable))),
		flat(records(t, a.data, event.DeadLetterTopic("emea"))))
	for name, content := range map[string][]byte{"tables at home": tables(t, a.data), "topics at home": homeTopics, "topics abroad": flat(records(t, a.far, event.CopiesTopic("amer")))} {
		if len(search(content, []string{guest.Joined().CallID})) == 0 {
			t.Errorf("%s have nothing of the call, so their search proves nothing", name)
		}
		for _, n := range found(content, id) {
			t.Errorf("%s hold %s", name, n)
		}
	}

	canary, planted := "canary-"+rand.Text(), "planted-"+rand.Text()
	plantInTables(t, a.far, canary)
	plantInTopicsOf(t, a.far, event.DeadLetterTopic("amer"), event.CopiesTopic("amer"), canary, planted)
	eventually(t, "what was planted is a dead letter", func() (bool, string) {
		letters := len(records(t, a.far, event.DeadLetterTopic("amer")))
		return letters == 2, fmt.Sprint(letters)
	})
	metrics := a.must(t, http.StatusOK, "", http.MethodGet, "/metrics", nil).body
	for _, place := range []struct {
		name     string
		content  []byte
		expected string
	}{
		{"tables", tables(t, a.far), canary},
		{"its latest copy", tables(t, a.far), latest},
		{"topic of copies", flat(records(t, a.far, event.CopiesTopic("amer"))), host.Joined().CallID},
		{"topic of dead letters", flat(records(t, a.far, event.DeadLetterTopic("amer"))), canary},
		{"metrics", metrics, "anteroom_ingest_records_total"},
		{"log", []byte(a.stderr.String()), "route=/v1/meetings"},
	} {
		if len(search(place.content, []string{place.expected})) == 0 {
			t.Errorf("%s: %q was not found in %d bytes, so the search proves nothing", place.name, place.expected, len(place.content))
		}
		for _, n := range found(place.content, needles) {
			t.Errorf("%s: holds %s", place.name, n)
		}
	}
	if hits := search(flat(records(t, a.far, event.DeadLetterTopic("amer"))), []string{planted}); len(hits) > 0 {
		t.Errorf("the dead letter quotes the record: %q", hits)
	}

	a.cancel()
	if code := <-a.done; code != 0 {
		t.Errorf("exit code %d\n%s", code, a.stderr)
	}
	a.done <- 0
	for path, content := range folder(t, a.data) {
		for _, n := range found(content, id) {
			t.Errorf("at home %s holds %s", path, n)
		}
	}
	planters := 0
	for path, content := range folder(t, a.far) {
		planters += len(search(content, []string{canary}))
		for _, n := range found(content, needles) {
			t.Errorf("%s holds %s", path, n)
		}
	}
	if planters < 2 { // ClickHouse's and the broker's
		t.Errorf("the canary is in %d files, want one of each engine", planters)
	}
	for path, content := range folder(t, filepath.Join(a.dir, "ledger", "amer")) {
		for _, n := range found(content, append(needles, needle{"the latest copy", latest})) {
			t.Errorf("the ledger's %s holds %s", path, n)
		}
	}
	if _, err := os.Stat(filepath.Join(a.dir, "ledger", "amer", "log", "checkpoint")); err != nil {
		t.Errorf("the further region has no ledger, so its search proves nothing: %v", err)
	}
	for _, n := range found([]byte(a.stderr.String()), append(needles, needle{"the latest copy", latest})) {
		t.Errorf("the log of the end holds %s", n)
	}
}
