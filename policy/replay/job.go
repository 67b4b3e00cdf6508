package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// Kind is the kind of control rows that hold jobs.
const Kind = "policy_replay"

var (
	// ErrNotFound: the organisation has no such job.
	ErrNotFound = errors.New("there is no such replay")
	// ErrTooMany: as many as may be are under way.
	ErrTooMany = errors.New("too many replays are under way")
)

// State of a job.
type State string

// The states. The last three are final.
const (
	Queued    State = "queued"
	Running   State = "running"
	Done      State = "done"
	Cancelled State = "cancelled"
	Failed    State = "failed"
)

// Final tells whether nothing changes any more.
func (s State) Final() bool { return s == Done || s == Cancelled || s == Failed }

// Request is what is to be told: what After would have decided otherwise than Before, in a window that begins with From and ends before To.
type Request struct {
	Before, After author.Content
	From, To      time.Time
}

// Job is one replay.
type Job struct {
	ID  string `json:"-"`
	Org string `json:"-"`
	// By is who asked, At when.
	By    string    `json:"by"`
	At    time.Time `json:"at"`
	State State     `json:"state"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	// Done and Total are decisions, and things that are kept; Total is 0 until it is known, and rises when things are begun with.
	Done  uint64 `json:"done"`
	Total uint64 `json:"total"`
	// Result is nil unless it is done. Kept without inputs.
	Result *Result `json:"result"`
	// Failure says why it failed; a sentence.
	Failure string `json:"failure,omitempty"`
	// Beat is when its process last said that it works on it.
	Beat time.Time `json:"beat"`

	version uint64
}

// Result is what came of a job.
type Result struct {
	author.ReplayResult
	// Retention is what would change of how long things are kept; nil if neither policy speaks of it.
	Retention *retention.Replay `json:"retention"`
}

func jobOf(row store.Control) (Job, error) {
	j := Job{ID: row.ID, Org: row.Org, version: row.Version}
	if err := json.Unmarshal(row.Value, &j); err != nil {
		return j, fmt.Errorf("read replay: version %d is not what it should be", row.Version)
	}
	return j, nil
}

// silence is after what time without a sign a job's process counts as ended.
const silence = time.Minute

// seen is the job as it is to be told: of a process that has ended nothing more will come.
func (j *Job) seen(now time.Time) Job {
	out := *j
	if !j.State.Final() && now.Sub(j.Beat) > silence {
		out.State, out.Failure = Failed, "The process that ran it has ended. Ask for it again."
	}
	return out
}
