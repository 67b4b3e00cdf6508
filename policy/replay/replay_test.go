package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/sandbox"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) {
	sandbox.ChildMain()
	embeddedtest.Main(m)
}

// noGuests refuses guests with one user of the organisation inside.
const noGuests = `package anteroom.organization

# METADATA
# title: Guests come when two are there
# custom:
#   rule: TWO
#   reason: two_first
deny contains rego.metadata.rule().custom if {
	input.participant.kind == "guest"
	input.session.org_users == 1
}
`

var began = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// kit is a store with decisions, and the sandbox.
type kit struct {
	t     *testing.T
	store *store.Store
	cfg   store.Config
	*Jobs
	stop context.CancelFunc
}

func newKit(t *testing.T, box Sandbox) *kit {
	t.Helper()
	s, cfg := storetest.Reused(t)
	if box == nil {
		children, err := sandbox.New(sandbox.DefaultConfig(), policy.Config{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		box = children
	}
	jobs, err := New(Deps{Store: s, Sandbox: box})
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{t: t, store: s, cfg: cfg, Jobs: jobs}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	k.stop = stop
	ended := make(chan error, 1)
	go func() { ended <- jobs.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return k
}

func joining(kind string, users int) policy.Input {
	return policy.Input{
		Action: policy.ActionJoin, Organization: policy.Organization{Kind: "work", AnonymousJoin: true, LobbyBypass: policy.BypassEveryone},
		Meeting: policy.Meeting{Kind: "scheduled"}, Participant: policy.Participant{Kind: kind, State: "new"}, Session: policy.Session{OrgUsers: users, Participants: users},
	}
}

// record stores decisions of a call, the inputs' texts in order, a second apart.
func (k *kit) record(call string, ended bool, inputs ...string) []uuid.UUID {
	k.t.Helper()
	batch := store.NewBatch()
	batch.Reset("events", 0)
	at := store.Origin{}
	next := func() store.Origin { at.Offset++; return at }
	env := store.Envelope{Org: "contoso", Region: "emea", CallID: call, SourceKind: 2, ObservedAt: began}
	batch.Calls.AddStarted(next(), env, &eventpb.CallStarted{StartedAtUs: began.UnixMicro()})
	if ended {
		batch.Calls.AddEnded(next(), env, &eventpb.CallEnded{EndedAtUs: began.Add(time.Hour).UnixMicro()})
	}
	in := store.KeptIn{Org: "contoso", CallID: call}
	batch.Kept.Add(next(), store.Kept{KeptIn: in, Class: store.ClassDecision, SentAt: began})
	ids := make([]uuid.UUID, len(inputs))
	for i, input := range inputs {
		ids[i] = uuid.New()
		batch.Decisions.Add(next(), store.DecisionInput{
			KeptIn: in, DecisionID: ids[i], Action: "join", Effect: "allow", Source: store.DecidedByMedia, Input: input, At: began.Add(time.Duration(i) * time.Second), SentAt: began,
		})
	}
	if err := k.store.Insert(k.t.Context(), batch, uuid.NewString()); err != nil {
		k.t.Fatal(err)
	}
	return ids
}

// hide does what the sweep does when a call's decisions are due.
func (k *kit) hide(call string) {
	k.t.Helper()
	storetest.NewSQL(k.t, k.cfg).Exec(`INSERT INTO hidden (class, org, call_id, sent_at) VALUES ('decision', 'contoso', $1, $2)`, call, began)
}

func text(t *testing.T, in policy.Input) string {
	t.Helper()
	out, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func (k *kit) create(before, after author.Content) Job {
	k.t.Helper()
	j, err := k.Create(k.t.Context(), "contoso", "ada", Request{Before: before, After: after, From: began, To: began.Add(time.Hour)})
	if err != nil {
		k.t.Fatal(err)
	}
	return j
}

// await waits until a job has ended.
func (k *kit) await(j Job) Job {
	k.t.Helper()
	for {
		got, err := k.Get(k.t.Context(), "contoso", j.ID)
		if err != nil {
			k.t.Fatal(err)
		}
		if got.State.Final() {
			return got
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestReplayTellsWhatWouldChange(t *testing.T) {
	k := newKit(t, nil)
	guest, member := text(t, joining("guest", 1)), text(t, joining("org_user", 1))
	waiting := text(t, joining("guest", 0))
	ids := k.record("ended", true, guest, member, guest, waiting, "", `{"action":"join","name":"x"}`, "no JSON")
	k.record("runs", false, guest, guest, guest)
	k.record("hidden", true, guest)
	k.hide("hidden")
	after := author.Content{Files: map[string]string{"own.rego": noGuests}}
	got := k.await(k.create(author.Content{}, after))
	want := &Result{ReplayResult: author.ReplayResult{
		Decisions: 4, Distinct: 3, Same: 2, Changed: 2, NotReplayable: map[string]uint64{author.NoInput: 1, author.NotAnInput: 2},
		Differences: []author.Difference{{
			From: "allow", To: "deny", Rule: "TWO", Reason: "two_first", Decisions: 2, Distinct: 1,
			Examples: []author.Example{{
				DecisionID: ids[2].String(), Input: json.RawMessage(guest), Count: 2,
				Before: author.Answer{Effect: "allow", Reasons: []string{}}, After: author.Answer{Effect: "deny", Reasons: []string{"two_first"}},
			}},
		}},
	}}
	if diff := cmp.Diff(want, got.Result); diff != "" || got.State != Done || got.Done != 7 || got.Total != 7 {
		t.Errorf("%s, %d of %d, %s (-want +got):\n%s", got.State, got.Done, got.Total, got.Failure, diff)
	}
	rows, err := k.store.History(t.Context(), Kind, "contoso", got.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if strings.Contains(string(row.Value), "participant") {
			t.Errorf("the job's row has an input: %s", row.Value)
		}
	}
	// What retention hides later isn't shown any more.
	k.hide("ended")
	if later := k.await(got); len(later.Result.Differences) != 1 || len(later.Result.Differences[0].Examples) != 0 {
		t.Errorf("examples of hidden decisions: %+v", later.Result)
	}
}

func TestReplayOfAPolicyOnItself(t *testing.T) {
	k := newKit(t, nil)
	k.record("ended", true, text(t, joining("guest", 1)), text(t, joining("org_user", 1)), text(t, joining("guest", 0)))
	same := author.Content{Files: map[string]string{"own.rego": noGuests}}
	got := k.await(k.create(same, same))
	if got.State != Done || got.Result.Changed != 0 || len(got.Result.Differences) != 0 || got.Result.Same != 3 {
		t.Errorf("%+v %+v", got, got.Result)
	}
	broken := k.await(k.create(same, author.Content{Files: map[string]string{"own.rego": "package anteroom.organization\n\ndeny contains x"}}))
	if broken.State != Failed || !strings.Contains(broken.Failure, "own.rego") {
		t.Errorf("a policy that can't be compiled: %+v", broken)
	}
}

// gate is a sandbox that waits, and that says when it is asked.
type gate struct{ asked chan struct{} }

func (g gate) Replay(ctx context.Context, _, _ author.Content, _ []author.ReplayInput) (author.ReplayResult, error) {
	g.asked <- struct{}{}
	<-ctx.Done()
	return author.ReplayResult{}, ctx.Err()
}

func (g gate) Kept(ctx context.Context, _, _ author.Content, _ []policy.RetentionInput) ([]policy.KeptPair, error) {
	g.asked <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestReplaysCanBeCancelled(t *testing.T) {
	g := gate{make(chan struct{}, 100)}
	k := newKit(t, g)
	k.record("ended", true, text(t, joining("guest", 1)))
	first, second := k.create(author.Content{}, author.Content{}), k.create(author.Content{}, author.Content{})
	<-g.asked
	for _, j := range []Job{second, first} {
		if got, err := k.Cancel(t.Context(), "contoso", j.ID, "ada"); err != nil || got.State != Cancelled {
			t.Errorf("cancelled: %+v, %v", got, err)
		}
		if got := k.await(j); got.State != Cancelled {
			t.Errorf("then: %+v", got)
		}
	}
	if _, err := k.Cancel(t.Context(), "fabrikam", first.ID, "eve"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another organisation's: %v", err)
	}
	var last Job
	for range underWay {
		last = k.create(author.Content{}, author.Content{})
	}
	if _, err := k.Create(t.Context(), "contoso", "ada", Request{}); !errors.Is(err, ErrTooMany) {
		t.Errorf("too many: %v", err)
	}
	list, err := k.List(t.Context(), "contoso")
	if err != nil || len(list) != 2+underWay || list[0].ID != last.ID {
		t.Errorf("%d jobs, %v", len(list), err)
	}
	<-g.asked
	k.stop()
	var states []State
	for states = nil; len(states) == 0; {
		list, err := k.List(t.Context(), "contoso")
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range list {
			if j.State == Failed {
				states = append(states, j.State)
			}
		}
	}
}

// TestOfAProcessThatEnded: its job has failed, as soon as nothing was heard of it for a while.
func TestOfAProcessThatEnded(t *testing.T) {
	j := Job{State: Running, Beat: began}
	for after, want := range map[time.Duration]State{silence: Running, silence + time.Second: Failed} {
		if got := j.seen(began.Add(after)); got.State != want || (want == Failed) != (got.Failure != "") {
			t.Errorf("after %v: %+v", after, got)
		}
	}
	if got := fmt.Sprint(Done.Final(), Queued.Final()); got != "true false" {
		t.Error(got)
	}
}

func policyCapabilities() []string {
	var out []string
	for _, c := range policy.Capabilities() {
		out = append(out, string(c))
	}
	return out
}
