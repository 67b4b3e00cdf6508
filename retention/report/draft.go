package report

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// draft is a bundle that is being made.
type draft struct {
	*bundler
	job    *Job
	folder string
	// scratch is for what is needed meanwhile.
	scratch  string
	progress func(percent float64, rows int64)

	at         time.Time
	checkpoint []byte
	// approval is what was put into the log of a second person's word.
	approval *approvalLeaf
	m        proof.Manifest
	rows     int64
	// tally is what the summary shows beside the manifest's counts.
	tally tally
}

// tally counts rows by class and state.
type tally map[proof.Class]map[proof.State]uint64

func (t tally) add(r *proof.Row) {
	if t[r.Class] == nil {
		t[r.Class] = make(map[proof.State]uint64)
	}
	t[r.Class][r.State]++
}

// begin fixes the moment and the state of the log that the bundle speaks of, before any row is read: what the log knows then is stored by then.
func (b *bundler) begin(ctx context.Context, job *Job, folder string, progress func(float64, int64)) (*draft, error) {
	d := &draft{bundler: b, job: job, folder: folder, scratch: filepath.Join(folder, ".scratch"), progress: progress, tally: make(tally)}
	if err := os.Mkdir(d.scratch, 0o700); err != nil {
		return nil, fmt.Errorf("begin report: %w", err)
	}
	watermark, err := b.region.Watermark(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin report: find watermark: %w", err)
	}
	if job.Request.Kind == HeldContent {
		if err := d.recordApproval(ctx); err != nil {
			return nil, err
		}
	}
	if err := d.readLog(ctx); err != nil {
		return nil, fmt.Errorf("begin report: %w", err)
	}
	d.at = b.jobs.now().UTC().Truncate(time.Microsecond)
	q := job.Request
	d.m = proof.Manifest{
		Format: "anteroom-report", Schema: proof.ManifestSchema, Kind: proof.ReportKind(q.Kind), ID: job.ID, Region: b.region.Name,
		MadeAt: proof.Time(d.at), MadeBy: b.region.Version, RequestedBy: job.RequestedBy, Watermark: proof.Time(watermark.UTC()),
		Query: proof.Query{
			Organization: job.Org, OrganizationSalt: proof.OrganizationSalt(b.region.Ledger.IDKey(), b.region.Name, job.Org),
			From: proof.Time(q.From), To: proof.Time(q.To), Classes: append([]proof.Class{}, q.Classes...), Meeting: q.Meeting, Resource: q.Resource, Calls: q.Filter,
		},
		Rules: []proof.AppliedAs{}, PurgeWindowMs: b.region.PurgeWindow.Milliseconds(), BrokerRetentionMs: -1, Limits: limits(q.Kind), Proofs: proof.NoProofs,
	}
	if watermark.IsZero() {
		d.m.Watermark = proof.Time(time.Unix(0, 0))
		d.m.Partial = "How far the region has stored what was produced isn't known: something that was sent may be missing."
	}
	if d.m.MadeBy == "" {
		d.m.MadeBy = "unknown"
	}
	if keeps := b.region.BrokerRetention(); keeps > 0 {
		d.m.BrokerRetentionMs = keeps.Milliseconds()
	}
	if err := d.backups(ctx); err != nil {
		return nil, fmt.Errorf("begin report: %w", err)
	}
	if err := d.readCheckpoint(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// backups says until when backups may have what is gone here.
func (d *draft) backups(ctx context.Context) error {
	const others = "Backups that were made by other means than `anteroom backup` may have what is gone here, and are not known."
	last, err := d.region.Store.LastBackup(ctx, time.Time{})
	if errors.Is(err, store.ErrNotFound) {
		d.m.Backup = "There is no backup. " + others
		return nil
	}
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	expiry := proof.Time(last.ExpiresAt)
	d.m.BackupExpiry = &expiry
	d.m.Backup = fmt.Sprintf("The last backup that may have what is gone here began at %s and is to be deleted at %s. ", proof.Time(last.StartedAt), expiry) + others
	return nil
}

// readCheckpoint fills in the part about the log, with the consistency proof to the organisation's report before.
func (d *draft) readCheckpoint(ctx context.Context) error {
	now, err := proof.ParseCheckpoint(d.checkpoint, d.region.Ledger.VerifierKey())
	if err != nil {
		return err //nolint:wrapcheck // it says what it read
	}
	d.m.Log = proof.LogPart{Origin: now.Origin, Size: now.Size, Root: now.Root, First: now.Size, Prefix: []proof.Hash{}}
	if err := d.file(writeFile(d.folder, proof.CheckpointFile, d.checkpoint)); err != nil {
		return err
	}
	previous, err := d.previous(ctx, now)
	if err != nil || previous == nil {
		return err
	}
	hashes, err := d.region.Ledger.ConsistencyProof(ctx, previous.Size, now.Size)
	if err != nil {
		return fmt.Errorf("prove consistency with the report before: %w", err)
	}
	d.m.Log.Consistency = &proof.Consistency{Size: previous.Size, Root: previous.Root, Proof: append([]proof.Hash{}, hashes...)}
	return d.file(writeFile(d.folder, proof.PreviousCheckpointFile, previous.note))
}

// point is a checkpoint with its signature.
type point struct {
	proof.Checkpoint
	note []byte
}

// previous finds the checkpoint of the organisation's latest report before this one; nil if there is none. If the log has become smaller since,
// the bundle says so.
func (d *draft) previous(ctx context.Context, now proof.Checkpoint) (*point, error) {
	jobs, err := d.jobs.List(ctx, d.job.Org)
	if err != nil {
		return nil, err
	}
	var found *point
	for i := range jobs {
		part := jobs[i].Parts[d.region.Name]
		if jobs[i].ID == d.job.ID || part == nil || part.Checkpoint == "" {
			continue
		}
		note := []byte(part.Checkpoint)
		p, err := proof.ParseCheckpoint(note, d.region.Ledger.VerifierKey())
		if err == nil && p.Size > 0 && (found == nil || p.Size > found.Size) {
			found = &point{p, note}
		}
	}
	if found != nil && found.Size > now.Size {
		d.m.Partial = strings.TrimSpace(d.m.Partial + " " + fmt.Sprintf("The log has %d leaves, and had %d at an earlier report: it is not the same log any more.", now.Size, found.Size))
		return nil, nil
	}
	return found, nil
}

// file adds a file that was written to the manifest.
func (d *draft) file(f proof.File, err error) error {
	if err == nil {
		d.m.Files = append(d.m.Files, f)
	}
	return err
}

// wants tells whether a format was asked for.
func (d *draft) wants(f Format) bool { return slices.Contains(d.job.Request.Formats, f) }

// filter is the request as the store takes it.
func (d *draft) filter() store.ThingFilter {
	q := &d.job.Request
	f := store.ThingFilter{Org: d.job.Org, From: q.From, To: q.To, At: d.at}
	for _, c := range q.Classes {
		f.Classes = append(f.Classes, string(c))
	}
	f.Meeting, _ = uuid.Parse(q.Meeting)   // checked when it was asked
	f.Resource, _ = uuid.Parse(q.Resource) // or empty
	return f
}

// limits say what a report of a kind can't prove.
func limits(k Kind) []string {
	common := []string{
		"The log proves that the operator recorded something at that time and has not rewritten it since. It can't prove that what was never recorded " +
			"did not exist.",
		"It can't prove that no other copy exists: a backup, a picture of a screen, a copy of the disk.",
		"That others are shown the same log is seen only by comparing checkpoints: keep this one, and check the next report against it.",
	}
	switch k {
	case Retention:
		return append(common, "A purge was checked in the database's own lists of parts; that the disk itself has forgotten the bytes can't be seen from there.")
	case Notices:
		return append(common, "That a notice was acknowledged says that the client reported to have shown it; that a person has read it can't be known.",
			"Rows are signed with the manifest; they have no leaves of their own in the log.")
	case Changes:
		return append(common, "Who changed something is who the identity provider said it was.")
	case HeldContent:
		return append(common, "The text is what the database had when the report was made; whether the author meant it so can't be known.")
	case Calls, Participants, Streams:
		return append(common, "Figures are what was known of the calls when the report was made; what arrives later changes them.",
			"Of a call that still ran, guests are left out.", "Rows are signed with the manifest; they have no leaves of their own in the log.")
	}
	return common
}
