package report

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// scripted makes parts as a test says: the order of jobs is what these tests are about, not what is in the files.
type scripted func(ctx context.Context, job *Job, folder string, progress func(float64, int64)) (made, error)

func (s scripted) make(ctx context.Context, job *Job, folder string, progress func(float64, int64)) (made, error) {
	return s(ctx, job, folder, progress)
}

// oneFile makes a part of one file.
func oneFile(_ context.Context, job *Job, folder string, _ func(float64, int64)) (made, error) {
	text := "made for " + job.ID
	sum := sha256.Sum256([]byte(text))
	err := os.WriteFile(filepath.Join(folder, bundleFile), []byte(text), 0o600)
	f := File{Name: bundleFile, Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), ContentType: "application/zip"}
	return made{rows: 3, files: []File{f}}, err
}

// clock is one that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// desk is a store with jobs.
type desk struct {
	t     *testing.T
	store *store.Store
	cfg   store.Config
	dir   string
	clock *clock
	*Jobs
}

func newDesk(t *testing.T, regions ...string) *desk {
	t.Helper()
	if len(regions) == 0 {
		regions = []string{"emea"}
	}
	s, cfg := storetest.NewConfig(t)
	d := &desk{t: t, store: s, cfg: cfg, dir: t.TempDir(), clock: &clock{now: time.Now().UTC().Add(time.Hour).Truncate(time.Second)}}
	d.Jobs = d.jobs(regions...)
	return d
}

func (d *desk) jobs(regions ...string) *Jobs {
	d.t.Helper()
	jobs, err := NewJobs(Config{Dir: d.dir}, JobsDeps{Home: d.store, Regions: regions, Now: d.clock.Now})
	if err != nil {
		d.t.Fatal(err)
	}
	return jobs
}

// day is when what these tests ask for begins: about four weeks ago, by the clock of the server, which rows get theirs from.
var day = sync.OnceValue(func() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(-27 * 24 * time.Hour) })

func asked() Request {
	return Request{
		Kind: Retention, From: day(), To: day().Add(26 * 24 * time.Hour), Formats: []Format{CSV, PDF},
	}
}

func (d *desk) ask(r Request) Job {
	d.t.Helper()
	job, made, err := d.Create(d.t.Context(), "contoso", "ada", "", r)
	if err != nil || !made {
		d.t.Fatalf("ask: %v, %v", made, err)
	}
	return job
}

// work runs a worker until the test ends, or the function that it returns is called.
func (d *desk) work(makers map[string]maker) (stop func()) {
	d.t.Helper()
	w, err := newWorker(makers, WorkerDeps{Jobs: d.Jobs, Log: slog.New(slog.NewTextHandler(d.t.Output(), nil))})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(d.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("worker: %v", err)
		}
	})
	d.t.Cleanup(stop)
	return stop
}

// await waits until a job is as wanted.
func (d *desk) await(id, what string, is func(*Job) bool) Job {
	d.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		job, err := d.Get(d.t.Context(), "contoso", id)
		if err != nil {
			d.t.Fatal(err)
		}
		if is(&job) {
			return job
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("the job isn't %s: %+v %+v", what, job, job.Parts["emea"])
		}
	}
}

func (d *desk) awaitState(id string, s State) Job {
	d.t.Helper()
	return d.await(id, string(s), func(j *Job) bool { return j.State == s })
}

// files lists what is in the folder, without workers' signs.
func (d *desk) files() []string {
	d.t.Helper()
	var out []string
	err := filepath.WalkDir(d.dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.Contains(path, workersFolder) {
			out = append(out, strings.TrimPrefix(path, d.dir+"/"))
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.t.Fatal(err)
	}
	return out
}

func TestTwoWorkersMakeEachPartOnce(t *testing.T) {
	d := newDesk(t, "emea", "amer")
	var mu sync.Mutex
	times := map[string]int{}
	once := func(region string) maker {
		return scripted(func(ctx context.Context, job *Job, folder string, progress func(float64, int64)) (made, error) {
			mu.Lock()
			times[job.ID+region]++
			mu.Unlock()
			return oneFile(ctx, job, folder, progress)
		})
	}
	both := map[string]maker{"emea": once("emea"), "amer": once("amer")}
	var ids []string
	for range 6 {
		ids = append(ids, d.ask(asked()).ID)
	}
	d.work(both)
	d.work(both)
	for _, id := range ids {
		job := d.awaitState(id, Done)
		if job.Percent() != 100 || job.Rows() != 6 || job.ExpiresAt == nil || !job.ExpiresAt.Equal(d.clock.Now().Add(7*24*time.Hour)) {
			t.Errorf("job %+v", job)
		}
		var names []string
		for _, f := range job.AllFiles() {
			names = append(names, f.Name)
		}
		if diff := cmp.Diff([]string{"amer.bundle.zip", "emea.bundle.zip"}, names); diff != "" {
			t.Error(diff)
		}
	}
	for part, n := range times {
		if n != 1 {
			t.Errorf("%s was made %d times", part, n)
		}
	}
	list, err := d.List(t.Context(), "contoso")
	if err != nil || len(list) != 6 {
		t.Errorf("list: %d, %v", len(list), err)
	}
	if others, err := d.List(t.Context(), "fabrikam"); err != nil || len(others) != 0 {
		t.Errorf("another organisation's: %v, %v", others, err)
	}
	if _, err := d.Get(t.Context(), "fabrikam", ids[0]); !errors.Is(err, ErrNotFound) {
		t.Errorf("another organisation's job: %v", err)
	}
}

// A worker knows some regions only; the others' parts wait for theirs.
func TestPartsWaitForTheirRegion(t *testing.T) {
	d := newDesk(t, "emea", "amer")
	job := d.ask(asked())
	d.work(map[string]maker{"emea": scripted(oneFile)})
	d.await(job.ID, "half done", func(j *Job) bool {
		return j.State == Running && j.Parts["emea"].State == PartDone && j.Parts["amer"].State == PartWaiting && j.Percent() == 50
	})
	if _, _, err := d.Open(t.Context(), "contoso", job.ID, "emea.bundle.zip", "ada", false); !errors.Is(err, ErrState) {
		t.Errorf("a file of a job that isn't done: %v", err)
	}
	d.work(map[string]maker{"amer": scripted(oneFile)})
	d.awaitState(job.ID, Done)
}

func TestCancelAndResume(t *testing.T) {
	d := newDesk(t)
	begun, cut := make(chan struct{}), make(chan error, 1)
	slow := true
	d.work(map[string]maker{"emea": scripted(func(ctx context.Context, job *Job, folder string, progress func(float64, int64)) (made, error) {
		if slow {
			slow = false
			if err := os.WriteFile(filepath.Join(folder, "half"), nil, 0o600); err != nil {
				return made{}, err
			}
			progress(40, 10)
			close(begun)
			<-ctx.Done()
			cut <- context.Cause(ctx)
			return made{}, ctx.Err()
		}
		return oneFile(ctx, job, folder, progress)
	})})
	job := d.ask(asked())
	<-begun
	d.await(job.ID, "on its way", func(j *Job) bool { return j.Percent() == 40 && j.Rows() == 10 && j.State == Running })
	if _, err := d.Resume(t.Context(), "contoso", job.ID, "ada"); !errors.Is(err, ErrState) {
		t.Errorf("resume of what runs: %v", err)
	}
	if got, err := d.Cancel(t.Context(), "contoso", job.ID, "bob"); err != nil || got.State != Cancelled {
		t.Errorf("cancel: %v, %v", got.State, err)
	}
	if err := <-cut; !errors.Is(err, errLost) {
		t.Errorf("the worker ended by %v", err)
	}
	if _, err := d.Cancel(t.Context(), "contoso", job.ID, "bob"); !errors.Is(err, ErrState) {
		t.Errorf("cancel again: %v", err)
	}
	for deadline := time.Now().Add(time.Minute); len(d.files()) > 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
	}
	if left := d.files(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if got, err := d.Resume(t.Context(), "contoso", job.ID, "ada"); err != nil || got.State != Queued || got.Round != 1 {
		t.Errorf("resume: %+v, %v", got, err)
	}
	d.awaitState(job.ID, Done)
	if left := d.files(); len(left) != 1 || !strings.HasSuffix(left[0], "/"+bundleFile) {
		t.Errorf("files: %v", left)
	}
}

func TestFailures(t *testing.T) {
	d := newDesk(t)
	var mu sync.Mutex
	tries := map[string]int{}
	d.work(map[string]maker{"emea": scripted(func(ctx context.Context, job *Job, folder string, progress func(float64, int64)) (made, error) {
		mu.Lock()
		tries[job.ID]++
		n := tries[job.ID]
		mu.Unlock()
		switch {
		case job.Request.Meeting != "":
			return made{}, fmt.Errorf("deep down: %w", &permanentError{"it is too large"})
		case n == 1:
			return made{}, fmt.Errorf("read rows: %w: secret words", store.ErrUnavailable)
		}
		return oneFile(ctx, job, folder, progress)
	})})
	passing := d.ask(asked())
	hopeless := asked()
	hopeless.Meeting = "11111111-0000-8000-8000-000000000001"
	lost := d.ask(hopeless)
	if job := d.awaitState(lost.ID, Failed); job.Failure() != "emea: it is too large" || tries[lost.ID] != 1 {
		t.Errorf("%q after %d attempts", job.Failure(), tries[lost.ID])
	}
	if job := d.awaitState(passing.ID, Done); job.Parts["emea"].Attempts != 2 {
		t.Errorf("done after %d attempts", job.Parts["emea"].Attempts)
	}
}

func TestIdempotencyKey(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	first, made, err := d.Create(ctx, "contoso", "ada", "k1", asked())
	if err != nil || !made {
		t.Fatalf("%v, %v", made, err)
	}
	same := asked()
	same.Formats = []Format{PDF, CSV, PDF} // the same request in other words
	if again, made, err := d.Create(ctx, "contoso", "ada", "k1", same); err != nil || made || again.ID != first.ID {
		t.Errorf("again: %s, %v, %v", again.ID, made, err)
	}
	other := asked()
	other.Formats = nil
	if _, _, err := d.Create(ctx, "contoso", "ada", "k1", other); !errors.Is(err, ErrKeyReused) {
		t.Errorf("another request: %v", err)
	}
	for _, who := range []struct{ org, who, key string }{{"contoso", "bob", "k1"}, {"fabrikam", "ada", "k1"}, {"contoso", "ada", "k2"}, {"contoso", "ada", ""}} {
		if job, made, err := d.Create(ctx, who.org, who.who, who.key, asked()); err != nil || !made || job.ID == first.ID {
			t.Errorf("%v: %s, %v, %v", who, job.ID, made, err)
		}
	}
}

func TestOneOrganizationDoesNotKeepOthersWaiting(t *testing.T) {
	d := newDesk(t)
	var last Job
	for range maxOpen {
		last = d.ask(asked())
	}
	if _, _, err := d.Create(t.Context(), "contoso", "ada", "", asked()); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
	if _, _, err := d.Create(t.Context(), "fabrikam", "eve", "", asked()); err != nil {
		t.Errorf("another organisation: %v", err)
	}
	if _, err := d.Cancel(t.Context(), "contoso", last.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	d.ask(asked())
}

func TestHeldContentTakesASecondPerson(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	d.work(map[string]maker{"emea": scripted(oneFile)})
	r := asked()
	r.Kind = HeldContent
	if _, _, err := d.Create(ctx, "contoso", "ada", "", r); len(Fields(err)) != 1 || Fields(err)[0].Field != "reason" {
		t.Errorf("without a reason: %v", err)
	}
	r.Reason = "case 4711"
	job := d.ask(r)
	if job.State != AwaitingApproval || job.Percent() != 0 {
		t.Errorf("%+v", job)
	}
	if _, err := d.Approve(ctx, "contoso", job.ID, "ada", "fine"); !errors.Is(err, ErrSamePerson) {
		t.Errorf("the same person: %v", err)
	}
	if _, err := d.Approve(ctx, "contoso", job.ID, "", "fine"); !errors.Is(err, ErrSamePerson) {
		t.Errorf("nobody: %v", err)
	}
	for _, reason := range []string{"", "  ", "a\u202eb", "a\nb", strings.Repeat("x", maxReason+1)} {
		if _, err := d.Approve(ctx, "contoso", job.ID, "bob", reason); len(Fields(err)) != 1 {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	if _, err := d.Approve(ctx, "fabrikam", job.ID, "eve", "fine"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another organisation: %v", err)
	}
	approved, err := d.Approve(ctx, "contoso", job.ID, "bob", "fine")
	if err != nil || approved.State != Queued || approved.Approval.By != "bob" {
		t.Errorf("%+v, %v", approved, err)
	}
	if _, err := d.Approve(ctx, "contoso", job.ID, "carl", "fine"); !errors.Is(err, ErrState) {
		t.Errorf("twice: %v", err)
	}
	done := d.awaitState(job.ID, Done)
	if !done.ExpiresAt.Equal(d.clock.Now().Add(24 * time.Hour)) {
		t.Errorf("expires at %v", done.ExpiresAt)
	}
	second := d.ask(r)
	if _, err := d.Cancel(ctx, "contoso", second.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	if again, err := d.Resume(ctx, "contoso", second.ID, "ada"); err != nil || again.State != AwaitingApproval || again.Approval != nil {
		t.Errorf("resumed: %+v, %v", again, err)
	}
}

func TestFilesAreHandedOutWrittenDownAndExpire(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	stop := d.work(map[string]maker{"emea": scripted(oneFile)})
	job := d.awaitState(d.ask(asked()).ID, Done)
	read := func(name, who string, goesOn bool) (string, error) {
		f, content, err := d.Open(ctx, "contoso", job.ID, name, who, goesOn)
		if err != nil {
			return "", err
		}
		defer content.Close()
		text, err := io.ReadAll(content)
		sum := sha256.Sum256(text)
		if hex.EncodeToString(sum[:]) != f.SHA256 || f.Name != name {
			t.Errorf("%+v is of other content", f)
		}
		return string(text), err
	}
	if text, err := read("emea.bundle.zip", "ada", false); err != nil || text != "made for "+job.ID {
		t.Errorf("%q, %v", text, err)
	}
	for _, name := range []string{"", "bundle.zip", "emea.", "emea.../../x", "amer.bundle.zip", "emea.manifest.json"} {
		if _, err := read(name, "ada", false); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, ask := range []struct {
		who    string
		goesOn bool
	}{{"ada", true}, {"bob", true}, {"bob", false}} {
		if _, err := read("emea.bundle.zip", ask.who, ask.goesOn); err != nil {
			t.Error(err)
		}
	}
	d.clock.forward(time.Hour)
	if _, err := read("emea.bundle.zip", "ada", true); err != nil {
		t.Error(err)
	}
	log, err := d.Accesses(ctx, "contoso", job.ID)
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, a := range log {
		who = append(who, a.By+" "+a.File)
	}
	want := []string{"ada emea.bundle.zip", "bob emea.bundle.zip", "bob emea.bundle.zip", "ada emea.bundle.zip"}
	if !slices.Equal(who, want) {
		t.Errorf("log %q, want %q", who, want)
	}
	stop() // and so nobody writes down that it has expired
	d.clock.forward(7 * 24 * time.Hour)
	if late, err := d.Get(ctx, "contoso", job.ID); err != nil || late.State != Expired {
		t.Errorf("after it expired it is %s, %v", late.State, err)
	}
	if all, err := d.List(ctx, "contoso"); err != nil || len(all) != 1 || all[0].State != Expired {
		t.Errorf("after it expired it is listed as %v, %v", all, err)
	}
	if _, err := read("emea.bundle.zip", "ada", false); !errors.Is(err, ErrGone) {
		t.Errorf("after it expired, without a worker: %v", err)
	}
	d.work(map[string]maker{"emea": scripted(oneFile)})
	expired := d.awaitState(job.ID, Expired)
	if _, err := read("emea.bundle.zip", "ada", false); !errors.Is(err, ErrGone) {
		t.Errorf("after it expired: %v", err)
	}
	if len(expired.AllFiles()) != 0 {
		t.Errorf("lists %v", expired.AllFiles())
	}
	for deadline := time.Now().Add(time.Minute); len(d.files()) > 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
	}
	if left := d.files(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRequestsThatCannotBe(t *testing.T) {
	d := newDesk(t, "emea", "amer")
	for _, test := range []struct {
		change func(*Request)
		fields string
	}{
		{func(*Request) {}, ""},
		{func(r *Request) { r.Kind = "everything" }, "kind"},
		{func(r *Request) { r.From, r.To = r.To, r.From }, "to"},
		{func(r *Request) { r.To = r.From }, "to"},
		{func(r *Request) { r.From = r.To.Add(-398 * 24 * time.Hour) }, "to"},
		{func(r *Request) { r.From = time.Time{} }, "from"},
		{func(r *Request) { r.Region = "apac" }, "region"},
		{func(r *Request) { r.Region = "amer" }, ""},
		{func(r *Request) { r.Kind, r.Region = Notices, "amer" }, "region"},
		{func(r *Request) { r.Kind, r.Region = Notices, "emea" }, ""},
		{func(r *Request) { r.Kind, r.Meeting = Changes, "11111111-0000-8000-8000-000000000001" }, "meeting_id"},
		{func(r *Request) { r.Kind, r.Classes = Notices, []proof.Class{proof.Copy} }, "classes"},
		{func(r *Request) { r.Classes = []proof.Class{proof.Copy, "letters"} }, "classes[1]"},
		{func(r *Request) { r.Kind, r.Reason, r.Classes = HeldContent, "x", []proof.Class{proof.Recording} }, "classes[0]"},
		{func(r *Request) { r.Meeting = "x" }, "meeting_id"},
		{func(r *Request) { r.Formats = []Format{"docx"} }, "formats[0]"},
		{func(r *Request) { r.Formats, r.BOM = nil, true }, "csv_bom"},
		{func(r *Request) { r.Reason = "a\u202eb" }, "reason"},
		{func(r *Request) { r.Kind, r.Region = "x", "y" }, "kind region"},
		{func(r *Request) { r.Filter = &CallsFilter{} }, "filter"},
		{func(r *Request) { r.Kind, r.Filter = Calls, &CallsFilter{Subnet: "192.0.2.0/24", Source: "acs"} }, ""},
		{func(r *Request) { r.Kind, r.Filter = Calls, &CallsFilter{Subnet: "192.0.2.7"} }, "filter.subnet"},
		{func(r *Request) { r.Kind, r.Filter = Calls, &CallsFilter{Subnet: "192.0.2.0/25"} }, "filter.subnet"},
		{func(r *Request) { r.Kind, r.Filter = Calls, &CallsFilter{Source: "fax"} }, "filter.source"},
		{func(r *Request) { r.Kind, r.Filter = Streams, &CallsFilter{MinDurationS: new(int64(-1))} }, "filter.min_duration_s"},
		{func(r *Request) {
			r.Kind, r.Filter = Calls, &CallsFilter{MinDurationS: new(int64(2)), MaxDurationS: new(int64(1))}
		}, "filter.max_duration_s"},
	} {
		r := asked()
		test.change(&r)
		_, _, err := d.Create(t.Context(), "contoso", "ada", "", r)
		var got []string
		for _, f := range Fields(err) {
			got = append(got, f.Field)
		}
		if strings.Join(got, " ") != test.fields || (err != nil) != (test.fields != "") {
			t.Errorf("%+v: %v, want the fields %s", r, err, test.fields)
		}
	}
}
