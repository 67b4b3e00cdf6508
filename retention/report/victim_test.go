package report

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/store"
)

// A victim is a second run of the test binary with a worker that stops halfway through a part, there to be killed.
const victimEnv = "ANTEROOM_TEST_EXPORT_VICTIM"

type victimPlan struct {
	Store    store.Config
	Password string // which the configuration doesn't write
	Dir      string
}

func (p victimPlan) run() {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, "victim:", err)
		os.Exit(1)
	}
	p.Store.Password = p.Password
	s, err := store.Open(p.Store)
	if err != nil {
		fail(err)
	}
	jobs, err := NewJobs(Config{Dir: p.Dir}, JobsDeps{Home: s, Regions: []string{"emea"}})
	if err != nil {
		fail(err)
	}
	halfway := scripted(func(ctx context.Context, _ *Job, folder string, _ func(float64, int64)) (made, error) {
		if err := os.WriteFile(filepath.Join(folder, "half"), []byte("half a fi"), 0o600); err != nil {
			return made{}, err
		}
		fmt.Println("halfway")
		<-ctx.Done()
		return made{}, ctx.Err()
	})
	w, err := newWorker(map[string]maker{"emea": halfway}, WorkerDeps{Jobs: jobs})
	if err != nil {
		fail(err)
	}
	fail(w.Run(context.Background()))
}

func TestWhatAKilledWorkerLeftIsBegunAnew(t *testing.T) {
	d := newDesk(t)
	job := d.ask(asked())
	for attempt := 1; attempt <= 2; attempt++ {
		plan, err := json.Marshal(victimPlan{d.cfg, d.cfg.Password, d.dir})
		if err != nil {
			t.Fatal(err)
		}
		victim := exec.CommandContext(t.Context(), os.Args[0])
		victim.Env = append(os.Environ(), victimEnv+"="+string(plan))
		victim.Stderr = t.Output()
		out, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "halfway\n" {
			t.Fatalf("%q, %v", line, err)
		}
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait() // killed
		if left := d.files(); len(left) != attempt || !strings.Contains(left[0], unfinished+"/half") {
			t.Errorf("attempt %d left %v", attempt, left)
		}
	}
	began := time.Now()
	d.work(map[string]maker{"emea": scripted(oneFile)})
	done := d.awaitState(job.ID, Done)
	if took := time.Since(began); took > d.Jobs.cfg.TakeOver/2 {
		t.Errorf("that the worker was dead was seen after %v only", took)
	}
	if n := done.Parts["emea"].Attempts; n != 3 {
		t.Errorf("done at attempt %d", n)
	}
	for deadline := time.Now().Add(time.Minute); len(d.files()) > 1 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
	}
	if left := d.files(); len(left) != 1 || !strings.HasSuffix(left[0], "/"+bundleFile) {
		t.Errorf("files: %v", left)
	}
}

// A part that kills its worker each time is given up.
func TestAPartIsNotTriedForEver(t *testing.T) {
	d := newDesk(t)
	job := d.ask(asked())
	for range maxAttempts {
		if _, err := d.update(t.Context(), "contoso", job.ID, Service, func(j *Job) error {
			p := j.Parts["emea"]
			p.State, p.Worker, p.Attempts, j.State = PartRunning, "gone", p.Attempts+1, Running
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(d.dir, workersFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, workersFolder, "gone"), nil, 0o600); err != nil { // a file that nobody has locked
		t.Fatal(err)
	}
	d.work(map[string]maker{"emea": scripted(oneFile)})
	if got := d.awaitState(job.ID, Failed); !strings.Contains(got.Failure(), "given up") {
		t.Errorf("%q", got.Failure())
	}
}
