package report

import (
	"maps"
	"slices"
	"time"
)

// State is where a job is.
type State string

// The states of a job.
const (
	AwaitingApproval State = "awaiting_approval"
	Queued           State = "queued"
	Running          State = "running"
	Done             State = "done"
	Failed           State = "failed"
	Cancelled        State = "cancelled"
	Expired          State = "expired" // it was done, and its files are gone
)

// States returns all of them.
func States() []State {
	return []State{AwaitingApproval, Queued, Running, Done, Failed, Cancelled, Expired}
}

// ended: nothing more comes of the job by itself.
func (s State) ended() bool { return s == Done || s == Failed || s == Cancelled || s == Expired }

// Job is one report that somebody asked for. It is the value of a control row, whose versions tell who did what to it and when.
type Job struct {
	ID      string  `json:"id"`
	Org     string  `json:"organization"`
	Request Request `json:"request"`
	State   State   `json:"state"`

	RequestedBy string    `json:"requested_by"`
	RequestedAt time.Time `json:"requested_at"`
	// Approval is null unless a second person has allowed it.
	Approval *Approval `json:"approval"`
	// Round rises with each resume: files and leaves of an earlier one are not those of a later one.
	Round int `json:"round"`
	// Parts by region.
	Parts      map[string]*Part `json:"parts"`
	FinishedAt *time.Time       `json:"finished_at"`
	// ExpiresAt is when the files go, once they are there.
	ExpiresAt *time.Time `json:"expires_at"`
}

// Approval is a second person's word.
type Approval struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// PartState is where a part is.
type PartState string

// The states of a part.
const (
	PartWaiting PartState = "waiting"
	PartRunning PartState = "running"
	PartDone    PartState = "done"
	PartFailed  PartState = "failed"
)

// Part is what a job makes of one region.
type Part struct {
	State PartState `json:"state"`
	// Worker that makes it, and the how manieth attempt it is.
	Worker   string `json:"worker,omitempty"`
	Attempts int    `json:"attempts"`
	// Beat is counted up by the worker as long as it lives.
	Beat    uint64  `json:"beat"`
	Percent float64 `json:"percent"`
	Rows    int64   `json:"rows"`
	// Folder of the files below the job's own.
	Folder string `json:"folder,omitempty"`
	Files  []File `json:"files,omitempty"`
	// Checkpoint of the region's ledger that the bundle is proven against; the next report is shown to be consistent with it.
	Checkpoint string `json:"checkpoint,omitempty"`
	// Approval is what the region's ledger has of the second person's word.
	Approval *approvalLeaf `json:"approval,omitempty"`
	// Failure is why it came to nothing, in words without data.
	Failure string `json:"failure,omitempty"`
}

// File is one file of a part.
type File struct {
	Name        string `json:"name"`
	Bytes       int64  `json:"bytes"`
	SHA256      string `json:"sha256"`
	ContentType string `json:"content_type"`
}

// Regions of the job, in order.
func (j *Job) Regions() []string { return slices.Sorted(maps.Keys(j.Parts)) }

// Percent of the work that is done, 0 to 100: all parts count alike.
func (j *Job) Percent() float64 {
	if len(j.Parts) == 0 || j.State == AwaitingApproval {
		return 0
	}
	sum := 0.0
	for _, p := range j.Parts {
		if p.State == PartDone {
			sum += 100
		} else {
			sum += min(p.Percent, 100)
		}
	}
	return sum / float64(len(j.Parts))
}

// Rows that have been written so far.
func (j *Job) Rows() int64 {
	var n int64
	for _, p := range j.Parts {
		n += p.Rows
	}
	return n
}

// Failure is why a failed job failed; "" for others.
func (j *Job) Failure() string {
	if j.State != Failed {
		return ""
	}
	for _, region := range j.Regions() {
		if p := j.Parts[region]; p.State == PartFailed {
			return region + ": " + p.Failure
		}
	}
	return ""
}

// settle makes the job's state that of its parts.
func (j *Job) settle(cfg Config, now time.Time) {
	if j.State.ended() || j.State == AwaitingApproval {
		return
	}
	count := map[PartState]int{}
	for _, p := range j.Parts {
		count[p.State]++
	}
	switch {
	case count[PartFailed] > 0:
		j.finish(Failed, now)
	case count[PartDone] == len(j.Parts):
		j.finish(Done, now)
		expires := now.Add(cfg.keepFor(j.Request.Kind)).UTC().Truncate(time.Second)
		j.ExpiresAt = &expires
	case count[PartRunning]+count[PartDone] > 0:
		j.State = Running
	default:
		j.State = Queued
	}
}

func (j *Job) finish(s State, now time.Time) {
	at := now.UTC().Truncate(time.Microsecond)
	j.State, j.FinishedAt = s, &at
}

// expire lets a job expire whose time is over, and tells whether it did. Whoever reads a job does so: no worker may have come to write it down.
func (j *Job) expire(now time.Time) bool {
	over := j.State == Done && j.ExpiresAt != nil && !now.Before(*j.ExpiresAt)
	if over {
		j.State = Expired
	}
	return over
}

// begin puts all parts back to the start.
func (j *Job) begin(regions []string) {
	j.Parts = make(map[string]*Part, len(regions))
	for _, region := range regions {
		j.Parts[region] = &Part{State: PartWaiting}
	}
	j.FinishedAt, j.ExpiresAt = nil, nil
}
