package report

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// Ledger is what a report needs of a region's ledger.
type Ledger interface {
	// Checkpoint is the newest that is published, signed.
	Checkpoint(ctx context.Context) ([]byte, error)
	// EachLeaf hands out the leaves from an index on, before another.
	EachLeaf(ctx context.Context, from, to uint64, do func(index uint64, leaf []byte) error) error
	// Hashes are those of the perfect subtrees that the tree of this size is made of, from left to right.
	Hashes(ctx context.Context, size uint64) ([]proof.Hash, error)
	// InclusionProof leads from a leaf to the root of the tree of this size, ConsistencyProof from one size to a later one.
	InclusionProof(ctx context.Context, index, size uint64) ([]proof.Hash, error)
	ConsistencyProof(ctx context.Context, from, to uint64) ([]proof.Hash, error)
	SignManifest(manifest []byte) ([]byte, error)
	// VerifierKey is what its signatures are checked with, IDKey what things' ids are made with.
	VerifierKey() string
	IDKey() []byte
}

// Region is what bundles of one region are made of.
type Region struct {
	Name string
	// Store has the region's rows, Home the control rows. Required.
	Store, Home *store.Store
	// Ledger of the region. Required.
	Ledger Ledger
	// Watermark tells until when all that was produced has been stored. Required.
	Watermark func(ctx context.Context) (time.Time, error)
	// PurgeWindow is how long a purge may take once a thing has to be gone. Default 10m.
	PurgeWindow time.Duration
	// BrokerRetention is how long brokers keep the records that the region's things came by, 0 if that isn't known. Default: it isn't.
	BrokerRetention func() time.Duration
	// Version is the program's.
	Version string
}

// defaultPurgeWindow is rule S3's.
const defaultPurgeWindow = 10 * time.Minute

// NewWorker makes a worker for regions. It starts nothing.
func NewWorker(regions []Region, deps WorkerDeps) (*Worker, error) {
	makers := make(map[string]maker, len(regions))
	for i := range regions {
		r := regions[i]
		if r.Name == "" || r.Store == nil || r.Home == nil || r.Ledger == nil || r.Watermark == nil {
			return nil, errors.New("make export worker: a region lacks its name, store, ledger or watermark")
		}
		if r.PurgeWindow == 0 {
			r.PurgeWindow = defaultPurgeWindow
		}
		if r.BrokerRetention == nil {
			r.BrokerRetention = func() time.Duration { return 0 }
		}
		if deps.Jobs == nil {
			return nil, errors.New("make export worker: no jobs")
		}
		makers[r.Name] = &bundler{region: &r, jobs: deps.Jobs}
	}
	return newWorker(makers, deps)
}

// bundler makes the bundles of a region.
type bundler struct {
	region *Region
	jobs   *Jobs
}

func (b *bundler) make(ctx context.Context, job *Job, folder string, progress func(percent float64, rows int64)) (made, error) {
	d, err := b.begin(ctx, job, folder, progress)
	if err != nil {
		return made{}, err
	}
	switch job.Request.Kind {
	case Retention:
		err = d.retention(ctx)
	case Notices:
		err = d.notices(ctx)
	case Changes:
		err = d.changes(ctx)
	case HeldContent:
		err = d.heldContent(ctx)
	case Calls, Participants, Streams:
		err = d.calls(ctx)
	default:
		err = fmt.Errorf("make report: unknown kind %q", job.Request.Kind)
	}
	if err != nil {
		return made{}, err
	}
	return d.finish(ctx)
}
