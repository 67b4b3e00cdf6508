package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	forms "github.com/anteroom/anteroom/retention/proof"
)

// Options are what a check is made with.
type Options struct {
	// Key is the ledger's verifier key. It must come by another way than the bundle. Required.
	Key string
	// Earlier is what was kept from an earlier report. Default nothing.
	Earlier *Earlier
	// StopEarly leaves out what comes after files that aren't the manifest's, which only tells more of what is wrong. Default false.
	StopEarly bool
	// Progress is told how much of how much has been read, in bytes. Default nobody.
	Progress func(done, total uint64)
}

// checker is one check.
type checker struct {
	ctx      context.Context //nolint:containedctx // one check is one call
	opt      Options
	source   *source
	manifest forms.Manifest
	out      Result
	// head is the bundle's checkpoint, as it was signed.
	head []byte
	// tag stands for the report's organisation in the log; "" in a report of all.
	tag string
	// total bytes to read, and done so far.
	done, total uint64

	// What the log says: batches by type and id; digests of other leaves by index.
	batches map[batchKey]*batch
	digests map[uint64]forms.Hash
	// kept is the caller's earlier checkpoint, keptRoot the root that the bundle's log has at its size; nil if there is none.
	kept     *forms.Checkpoint
	keptRoot *forms.Hash
	// logOK: log.jsonl gives the checkpoint's root.
	logOK bool
}

// Bundle checks a bundle. The error is about what couldn't be looked at; what doesn't hold is in the Result.
func Bundle(ctx context.Context, path string, opt Options) (Result, error) {
	c := &checker{
		ctx: ctx, opt: opt, batches: map[batchKey]*batch{}, digests: map[uint64]forms.Hash{},
		out: Result{Findings: []Finding{}, Notes: []string{}},
	}
	if err := forms.CheckKey(opt.Key); err != nil {
		return c.out, err //nolint:wrapcheck // it says what it is about
	}
	if opt.Earlier != nil {
		if kept, err := forms.ParseCheckpoint(opt.Earlier.Checkpoint, opt.Key); err != nil {
			c.wrong(Consistency, earlierFile, 0, "%v", err)
		} else {
			c.kept = &kept
		}
	}
	var err error
	if c.source, err = openSource(path); err != nil {
		return c.refused(err)
	}
	err = c.check()
	if err = errors.Join(err, c.source.close()); err != nil {
		return c.refused(err)
	}
	c.out.Manifest = c.manifest
	c.out.OK = len(c.out.Findings) == 0
	return c.out, nil
}

// refused makes a finding of a bundle that isn't one.
func (c *checker) refused(err error) (Result, error) {
	var form *formError
	if !errors.As(err, &form) {
		return c.out, err
	}
	c.wrong(Form, form.file, 0, "%s", form.what)
	return c.out, nil
}

func (c *checker) wrong(kind Kind, file string, line int64, what string, args ...any) {
	if len(c.out.Findings) >= maxFindings {
		c.out.More++
		return
	}
	c.out.Findings = append(c.out.Findings, Finding{kind, file, line, Printable(fmt.Sprintf(what, args...))})
}

// read counts what was read, and is where a check can be ended.
func (c *checker) read(n int) {
	before := c.done
	if c.done += uint64(n); c.opt.Progress != nil && before>>20 != c.done>>20 { //nolint:gosec // n isn't negative
		c.opt.Progress(c.done, c.total)
	}
}

// unreadable tells what couldn't be read for the bundle's fault, which its sum tells as well, from what couldn't be read at all.
func (c *checker) unreadable(file string, err error) error {
	var outside *fs.PathError
	if c.ctx.Err() != nil {
		return c.ctx.Err() //nolint:wrapcheck // the caller's own
	}
	if errors.As(err, &outside) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", file, err)
	}
	c.wrong(Sums, file, 0, "can't be read: %v", err)
	return nil
}

// check makes all checks in order. What comes after something that failed is done as far as it makes sense, since it may name the line.
func (c *checker) check() error {
	ok, err := c.readManifest()
	if err != nil || !ok {
		return err
	}
	if err := c.sums(); err != nil || (c.opt.StopEarly && len(c.out.Findings) > 0) {
		return err
	}
	c.checkpoint()
	if err := c.log(); err != nil {
		return err
	}
	switch {
	case c.manifest.Kind != forms.ReportRetention:
		err = c.digestLines()
	default:
		err = c.rows()
	}
	if err != nil {
		return err
	}
	c.consistency()
	c.note()
	return c.ctx.Err() //nolint:wrapcheck // the caller's own
}

// checkpoint checks the signed state of the log against the manifest.
func (c *checker) checkpoint() {
	var err error
	if c.head, err = c.source.read(forms.CheckpointFile, maxSmall); err != nil {
		c.wrong(Checkpoint, forms.CheckpointFile, 0, "can't be read: %v", err)
		return
	}
	head, err := forms.ParseCheckpoint(c.head, c.opt.Key)
	if err != nil {
		c.wrong(Checkpoint, forms.CheckpointFile, 0, "%v", err)
		return
	}
	log := c.manifest.Log
	if head.Origin != log.Origin || head.Size != log.Size || head.Root != log.Root {
		c.wrong(Checkpoint, forms.CheckpointFile, 0, "says %d leaves and root %x of %s, the manifest %d, %x and %s",
			head.Size, head.Root, head.Origin, log.Size, log.Root, log.Origin)
	}
}

// consistency checks that the log only grew since earlier checkpoints: the one that the bundle has, and the one that the caller kept.
func (c *checker) consistency() {
	log := c.manifest.Log
	if log.Consistency != nil {
		c.follow(*log.Consistency)
	}
	if c.kept != nil {
		c.sinceKept(*c.kept)
		c.sameSalt()
	}
}

// earlierFile is what the caller's earlier checkpoint is called.
const earlierFile = "the earlier checkpoint"

// sinceKept checks that the log only grew since the caller's earlier checkpoint.
func (c *checker) sinceKept(kept forms.Checkpoint) {
	log := c.manifest.Log
	var root *forms.Hash
	switch {
	case kept.Size == log.Size:
		root = &log.Root
	case log.Consistency != nil && log.Consistency.Size == kept.Size:
		root = &log.Consistency.Root
	case c.logOK:
		root = c.keptRoot
	}
	wrong := func(what string, args ...any) { c.wrong(Consistency, earlierFile, 0, what, args...) }
	switch {
	case kept.Origin != log.Origin:
		wrong("is of another log: %s", kept.Origin)
	case kept.Size > log.Size:
		wrong("covers %d leaves, more than the bundle's with %d: the log was cut, or the bundle is the older one", kept.Size, log.Size)
	case root == nil:
		wrong("covers %d leaves, and the bundle doesn't show how the log went on from there: ask for a report that follows this checkpoint", kept.Size)
	case *root != kept.Root:
		wrong("has root %x at %d leaves, the bundle's log %x: the log was rewritten", kept.Root, kept.Size, *root)
	default:
		c.out.Since = &kept.Size
	}
}

// sameSalt checks that the organisation has the tag that it had. With another one its batches wouldn't be known in the log, and could be left out.
func (c *checker) sameSalt() {
	was, is := c.opt.Earlier.Query, c.manifest.Query
	if was.Organization != "" && was.Organization == is.Organization && was.OrganizationSalt != is.OrganizationSalt {
		c.wrong(Completeness, forms.ManifestFile, 0, "the organisation had another salt in the earlier report")
	}
}

// follow checks the bundle's own earlier checkpoint.
func (c *checker) follow(claim forms.Consistency) {
	const file = forms.PreviousCheckpointFile
	text, err := c.source.read(file, maxSmall)
	if err != nil {
		c.wrong(Consistency, file, 0, "can't be read: %v", err)
		return
	}
	earlier, err := forms.ParseCheckpoint(text, c.opt.Key)
	if err != nil {
		c.wrong(Consistency, file, 0, "%v", err)
		return
	}
	log := c.manifest.Log
	if earlier.Origin != log.Origin || earlier.Size != claim.Size || earlier.Root != claim.Root {
		c.wrong(Consistency, file, 0, "isn't the one that the manifest speaks of")
		return
	}
	path := make([][]byte, len(claim.Proof))
	for i := range claim.Proof {
		path[i] = claim.Proof[i][:]
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, claim.Size, log.Size, path, claim.Root[:], log.Root[:]); err != nil {
		c.wrong(Consistency, file, 0, "the log didn't grow from it: %v", err)
		return
	}
	c.out.Since = &claim.Size
}

// note says what a reader should know although all holds.
func (c *checker) note() {
	m := c.manifest
	add := func(format string, args ...any) { c.out.Notes = append(c.out.Notes, fmt.Sprintf(format, args...)) }
	if m.Partial != "" {
		add("The report is partial: %s", m.Partial)
	}
	if m.Kind == forms.ReportRetention {
		for _, n := range []struct {
			count uint64
			text  string
		}{
			{m.Counts.Overdue, "Things that had to be gone by then and weren't: %d."},
			{m.Counts.Unknown, "Things of which nobody can tell what became of them: %d."},
			{m.Counts.Late, "Things that were purged later than they had to be: %d."},
			{m.Counts.Unlogged, "Things that are in no batch of the log yet, so that nothing is proven of them: %d."},
		} {
			if n.count > 0 {
				add(n.text, n.count)
			}
		}
	}
	switch {
	case m.Proofs == forms.SingleProofs:
		add("The report was made with a filter: that no row is missing can't be seen from it.")
	case c.out.Complete && m.Log.First > 0:
		add("The log was looked at from leaf %d on; what was stored before that leaf is covered by reports that reach back further.", m.Log.First)
	}
	if c.out.Hidden > 0 {
		add("Things in the same batches that belong to other organisations, and of which only hashes are shown: %d.", c.out.Hidden)
	}
	if c.out.Since == nil {
		add("No earlier checkpoint was compared. Keep this bundle's, and give it as --previous next time.")
	}
	if after := time.Time(m.MadeAt); time.Time(m.Query.To).After(after) {
		add("The report was made before the end of what was asked for.")
	}
}
