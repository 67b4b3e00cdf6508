package report

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/retention/proof"
)

// leafPause is between two looks whether a leaf is published, leafPatience how long is waited.
const (
	leafPause    = 200 * time.Millisecond
	leafPatience = 2 * time.Minute
)

// putAndAwait puts a leaf into the region's ledger and waits until a checkpoint covers it.
func (d *draft) putAndAwait(ctx context.Context, leaf *proof.Leaf) error {
	text, err := leaf.Canonical()
	if err != nil {
		return err
	}
	if err := d.region.Store.PutLeaf(ctx, leaf.ID, text); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for waited := time.Duration(0); ; waited += leafPause {
		found, err := d.region.Store.LedgerEntries(ctx, []string{leaf.ID})
		if err != nil || len(found) > 0 {
			return err //nolint:wrapcheck // the store says what it did
		}
		if waited > leafPatience {
			return errors.New("the ledger doesn't publish a leaf")
		}
		select {
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // told to stop
		case <-time.After(leafPause):
		}
	}
}

// readLog takes the newest checkpoint. A log without a leaf has none; then the first leaf tells that this report was asked for.
func (d *draft) readLog(ctx context.Context) (err error) {
	d.checkpoint, err = d.region.Ledger.Checkpoint(ctx)
	if !errors.Is(err, ledger.ErrNoCheckpoint) {
		return err //nolint:wrapcheck // the ledger says what it did
	}
	request, err := compact(d.job.Request)
	if err != nil {
		return err
	}
	leaf := proof.Leaf{
		Schema: proof.Schema, Type: proof.LeafReport, Region: d.region.Name, ID: fmt.Sprintf("report:%s:%s:%d:asked", d.job.ID, d.region.Name, d.job.Round),
		At: proof.Time(d.jobs.now().UTC().Truncate(time.Microsecond)), Organization: d.job.Org, Digest: sha256.Sum256(request),
	}
	if err := d.putAndAwait(ctx, &leaf); err != nil {
		return err
	}
	d.checkpoint, err = d.region.Ledger.Checkpoint(ctx)
	return err //nolint:wrapcheck // the ledger says what it did
}
