// Package doctor owns what a deployment needs and how that is told: each check is ok, a warning, failed, or skipped with the reason, and whatever isn't ok
// says what to do. It asks engines, files and OpenID providers as the service would, changes nothing unless it is allowed to, takes no longer than it is
// given, and never tells a secret: what it says is made of names, numbers and the errors of the rooms, which hold none.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Status of a check.
type Status string

// The statuses, from good to bad.
const (
	OK      Status = "ok"
	Skipped Status = "skipped"
	Warning Status = "warning"
	Failed  Status = "failed"
)

// Check is what was looked at and seen.
type Check struct {
	// Name is the subject and what of it, as clickhouse.version.
	Name   string `json:"check"`
	Region string `json:"region,omitempty"`
	Status Status `json:"status"`
	// Says is what was seen.
	Says string `json:"says"`
	// Do is what to do about it; empty if it is ok.
	Do string `json:"do,omitempty"`
}

// Report is what is known so far. The zero value is empty.
type Report struct{ Checks []Check }

// subject writes checks of one subject.
type subject struct {
	region string
	checks []Check
}

func (s *subject) add(name string, status Status, do, format string, args ...any) {
	s.checks = append(s.checks, Check{Name: name, Region: s.region, Status: status, Says: fmt.Sprintf(format, args...), Do: do})
}

func (s *subject) ok(name, format string, args ...any) { s.add(name, OK, "", format, args...) }

func (s *subject) skip(name, do, format string, args ...any) {
	s.add(name, Skipped, do, format, args...)
}

func (s *subject) warn(name, do, format string, args ...any) {
	s.add(name, Warning, do, format, args...)
}

func (s *subject) fail(name, do, format string, args ...any) {
	s.add(name, Failed, do, format, args...)
}

// Worst is the worst status in it.
func (r Report) Worst() Status {
	order := map[Status]int{OK: 0, Skipped: 0, Warning: 1, Failed: 2}
	worst := OK
	for _, c := range r.Checks {
		if order[c.Status] > order[worst] {
			worst = c.Status
		}
	}
	return worst
}

// Text is the report for people: a line for each check, and below what isn't ok what to do.
func (r Report) Text() string {
	var out strings.Builder
	counts := map[Status]int{}
	for _, c := range r.Checks {
		counts[c.Status]++
		where := c.Name
		if c.Region != "" {
			where += " (" + c.Region + ")"
		}
		fmt.Fprintf(&out, "%-8s %s: %s\n", c.Status, where, c.Says)
		if c.Do != "" {
			fmt.Fprintf(&out, "         → %s\n", c.Do)
		}
	}
	fmt.Fprintf(&out, "%d ok, %d warnings, %d failed, %d skipped\n", counts[OK], counts[Warning], counts[Failed], counts[Skipped])
	return out.String()
}

// Job looks at one subject and adds what it sees.
type Job struct {
	Name, Region string
	look         func(ctx context.Context, s *subject)
}

// Run does all jobs at the same time, each within a limit, and adds what they saw in the order of the jobs. A job that doesn't come back is a failed check.
func (r *Report) Run(ctx context.Context, limit time.Duration, jobs ...Job) {
	seen := make([][]Check, len(jobs))
	var wg sync.WaitGroup
	for i, job := range jobs {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			done := make(chan []Check, 1)
			go func() {
				s := &subject{region: job.Region}
				job.look(ctx, s)
				done <- s.checks
			}()
			select {
			case seen[i] = <-done:
				return
			case <-ctx.Done():
			}
			select { // whoever heeds the context tells more than that it was too slow
			case seen[i] = <-done:
			case <-time.After(limit / 4):
				seen[i] = []Check{{
					Name: job.Name, Region: job.Region, Status: Failed, Says: fmt.Sprintf("there was no answer within %v", limit),
					Do: "See whether it is overloaded or its network drops packets; --timeout gives it longer.",
				}}
			}
		})
	}
	wg.Wait()
	for _, checks := range seen {
		r.Checks = append(r.Checks, checks...)
	}
}

// Configuration is the check of what was read, with its problems if there are some.
func (r *Report) Configuration(mode string, problems []string) {
	s := &subject{}
	for _, p := range problems {
		s.fail("configuration", "Mend it in the file or the environment; `anteroom check-config` and anteroom.example.yaml say what each key takes.", "%s", p)
	}
	if len(problems) == 0 {
		s.ok("configuration", "good for anteroom %s", mode)
	}
	r.Checks = append(r.Checks, s.checks...)
}

// Unreachable is the check of engines that could not even be addressed.
func (r *Report) Unreachable(err error) {
	s := &subject{}
	s.fail("engines", "Start `anteroom run` on it, or name another folder with --data; if one is just starting or stopping there, wait for it.", "%v", err)
	r.Checks = append(r.Checks, s.checks...)
}
