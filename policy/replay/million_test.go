package replay

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/store/storetest"
)

// rowsEnv says of how many decisions the replay is that is measured and, after a comma, how many numbers of chat members there are: the more, the more
// inputs are distinct.
const rowsEnv = "ANTEROOM_TEST_REPLAY_ROWS"

// TestManyDecisions replays many decisions and says what it took: 20,000, or as many as the environment asks for.
func TestManyDecisions(t *testing.T) {
	rows, spread := 20_000, 1
	if text := os.Getenv(rowsEnv); text != "" {
		var err error
		first, second, more := strings.Cut(text, ",")
		if rows, err = strconv.Atoi(first); err == nil && more {
			spread, err = strconv.Atoi(second)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	k := newKit(t, nil)
	calls := max(rows/200, 1)
	sql := storetest.NewSQL(t, k.cfg)
	sql.Exec(`INSERT INTO retained (class, org, call_id, sent_at) SELECT 'decision', 'contoso', 'call-' || toString(number), $1 FROM numbers($2)`, began, calls)
	sql.Exec(`INSERT INTO calls (org, call_id, source_kind, observed_at, started_at, ended_at) SELECT 'contoso', 'call-' || toString(number), 'media', $1, $1, $1
		FROM numbers($2)`, began, calls)
	for from := 0; from < rows; from += 100_000 {
		sql.Exec(fmt.Sprintf(`INSERT INTO decisions (org, call_id, decision_id, action, effect, revision, input, at, sent_at)
			SELECT 'contoso', 'call-' || toString(number %% %d), generateUUIDv4(), 'use:' || capability, 'allow', 'base@1', translate(arrayFold((text, x) ->
				replaceOne(text, x.1, x.2), [('@0', capability), ('@1', toString(intHash32(number + 1) %% 4)), ('@2', toString(intHash32(number + 2) %% 40)),
				('@3', toString(intHash32(number + 3) %% %d)), ('@4', ['guest', 'org_user'][1 + intHash32(number + 4) %% 2]),
				('@5', ['true', 'false'][1 + intHash32(number + 5) %% 2])], %s), '<>', char(123, 125)), $1 + number / 1000, $1
			FROM (SELECT number, [%s][1 + intHash32(number) %% 29] AS capability FROM numbers(%d, %d))`,
			calls, spread, template(), capabilities(), from, min(100_000, rows-from)), began)
	}
	runtime.GC()
	debug.FreeOSMemory()
	peak, watch := uint64(0), make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		var m runtime.MemStats
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-watch:
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	}()
	database := func() time.Duration {
		return time.Duration(sql.Count("SELECT sum(value) FROM system.events WHERE event = 'OSCPUVirtualTimeMicroseconds'")) * time.Microsecond //nolint:gosec // no such time
	}
	queried, own := database(), processors(t, syscall.RUSAGE_SELF)
	start := time.Now()
	j := k.await(k.create(author.Content{}, author.Content{Files: map[string]string{"own.rego": noGuests + "\nwithhold.sendChat contains \"quiet\" if input.session.org_users == 0\n"}}))
	took := time.Since(start)
	close(watch)
	<-watched
	var children syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children); err != nil {
		t.Fatal(err)
	}
	// Of a busy machine these tell more than the time.
	t.Logf("processor time: %v of this process, %v of its sandboxes, %v of the database", processors(t, syscall.RUSAGE_SELF)-own,
		processors(t, syscall.RUSAGE_CHILDREN), database()-queried)
	if j.State != Done || j.Result.Decisions != uint64(rows) || j.Result.Changed == 0 || j.Result.Changed+j.Result.Same != uint64(rows) {
		t.Fatalf("%+v %+v", j, j.Result)
	}
	t.Logf("%d decisions on %d distinct inputs (%.2f %%), of which %d change, in %v; heap %d MiB at most, largest child %d MiB", j.Result.Decisions, j.Result.Distinct,
		100*float64(j.Result.Distinct)/float64(rows), j.Result.Changed, took.Round(time.Millisecond), peak>>20, children.Maxrss>>10)
}

// processors is what this process, or those that it waited for, took of processors.
func processors(t *testing.T, whose int) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(whose, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Round(10 * time.Millisecond)
}

// template is an input with places for what differs. Braces would be taken for parameters.
func template() string {
	return `'<"action":"use","capability":"@0","meeting":<"kind":"scheduled","lobby_bypass":"","organizer_lobby_bypass":"","organizer_withdrawn":null,"recording":@5,` +
		`"transcribing":false,"withdrawn":null>,"organization":<"anonymous_join":true,"enforce_webinar_roles":false,"kind":"work","lobby_bypass":"org_users",` +
		`"require_consent":false,"withdrawn":null>,"participant":<"admitted_by_org_user":true,"consented":false,"invited":false,"kind":"@4","organizer":false,` +
		`"presenter":false,"room_device":false,"state":"admitted">,"session":<"chat_members":@3,"org_users":@1,"participants":@2,"room_device":false>>'`
}

func capabilities() string {
	var out []string
	for _, c := range policyCapabilities() {
		out = append(out, "'"+c+"'")
	}
	return strings.Join(out, ", ")
}
