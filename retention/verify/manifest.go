package verify

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/retention/proof"
)

// readManifest reads the manifest, and checks its signature and what it says. ok: there is one to go on with.
func (c *checker) readManifest() (ok bool, err error) {
	if _, there := c.source.sizes[proof.ManifestFile]; !there {
		return false, &formError{proof.ManifestFile, "is missing"}
	}
	text, err := c.source.read(proof.ManifestFile, maxManifest)
	if err != nil {
		return false, c.unreadable(proof.ManifestFile, err)
	}
	signature, err := c.source.read(proof.ManifestSignatureFile, maxSmall)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.wrong(Signature, proof.ManifestSignatureFile, 0, "is missing")
	case err != nil:
		if err := c.unreadable(proof.ManifestSignatureFile, err); err != nil {
			return false, err
		}
	default:
		if err := proof.CheckManifest(text, signature, c.opt.Key); err != nil {
			c.wrong(Signature, proof.ManifestSignatureFile, 0, "%v", err)
		}
	}
	if c.manifest, err = proof.ParseManifest(text); err != nil {
		c.wrong(BadManifest, proof.ManifestFile, 0, "%v", err)
		return false, nil
	}
	m := &c.manifest
	for _, what := range append(sense(m), files(m)...) {
		c.wrong(BadManifest, proof.ManifestFile, 0, "%s", what)
	}
	if m.Format != "anteroom-report" || m.Schema != proof.ManifestSchema {
		return false, nil // whatever follows may mean something else
	}
	c.tag = proof.OrganizationTag(m.Query.OrganizationSalt, m.Region, m.Query.Organization)
	return true, nil
}

// sense tells what a manifest says that can't be.
func sense(m *proof.Manifest) (wrong []string) {
	must := func(holds bool, what string, args ...any) {
		if !holds {
			wrong = append(wrong, fmt.Sprintf(what, args...))
		}
	}
	must(m.Format == "anteroom-report" && m.Schema == proof.ManifestSchema, "format %q with schema %d is not known to this program", m.Format, m.Schema)
	must(slices.Contains(proof.ReportKinds(), m.Kind), "kind %q is none there is", m.Kind)
	must(m.Region != "", "region is empty")
	must(m.Rules != nil && m.Limits != nil && m.Files != nil && m.Query.Classes != nil && m.Log.Prefix != nil, "an array is null")
	must(m.Log.Consistency == nil || m.Log.Consistency.Proof != nil, "an array is null")
	must(time.Time(m.Query.From).Before(time.Time(m.Query.To)), "query.from isn't before query.to")
	for i, class := range m.Query.Classes {
		must(slices.Contains(proof.Classes(), class) && slices.Index(m.Query.Classes, class) == i, "query.classes[%d] is no class, or is there twice", i)
	}
	must((m.Query.Organization == "") == (m.Query.OrganizationSalt == proof.Hash{}), "query.organization_salt doesn't fit query.organization")
	must(m.PurgeWindowMs >= 0, "purge_window_ms is negative")
	must(m.Log.First <= m.Log.Size, "log.first is beyond log.size")
	must(slices.IsSortedFunc(m.Rules, compareRules) && len(slices.Compact(slices.Clone(m.Rules))) == len(m.Rules), "rules aren't in order, or one is there twice")
	filtered := m.Query.Meeting != "" || m.Query.Resource != ""
	switch m.Proofs {
	case proof.WholeProofs:
		must(m.Kind == proof.ReportRetention && !filtered, "proofs can't be whole")
	case proof.SingleProofs:
		must(m.Kind == proof.ReportRetention, "proofs can't be single")
	case proof.NoProofs:
		must(m.Kind != proof.ReportRetention, "proofs are missing")
	default:
		must(false, "proofs %q is none there is", m.Proofs)
	}
	if m.Kind != proof.ReportRetention {
		must(m.Counts == proof.Counts{} && len(m.Rules) == 0, "there are counts or rules of no rows")
	}
	return wrong
}

func compareRules(a, b proof.AppliedAs) int {
	return slices.CompareFunc([]string{a.ID, fmt.Sprintf("%020d", a.Version), a.Reason, a.Revision},
		[]string{b.ID, fmt.Sprintf("%020d", b.Version), b.Reason, b.Revision}, strings.Compare)
}

// files tells whether the manifest lists the files that its kind has.
func files(m *proof.Manifest) (wrong []string) {
	listed := map[string]bool{}
	for i, f := range m.Files {
		listed[f.Name] = true
		own := f.Name == proof.ManifestFile || f.Name == proof.ManifestSignatureFile || f.Name == proof.SumsFile
		if !known(f.Name) || own || f.Size < 0 || (i > 0 && m.Files[i-1].Name >= f.Name) {
			wrong = append(wrong, fmt.Sprintf("files[%d] is no file of a bundle, or not in order", i))
		}
	}
	withLog := m.Proofs == proof.WholeProofs || m.Kind == proof.ReportChanges
	need := map[string]bool{
		proof.CheckpointFile: true, proof.PreviousCheckpointFile: m.Log.Consistency != nil,
		proof.RowsFile: m.Kind == proof.ReportRetention, proof.DigestsFile: m.Kind != proof.ReportRetention,
		proof.OtherStoredFile: m.Proofs == proof.WholeProofs, proof.OtherDeletedFile: m.Proofs == proof.WholeProofs, proof.LogFile: withLog,
		proof.CSVFile: m.CSV != nil,
	}
	for _, name := range slices.Sorted(maps.Keys(need)) {
		if listed[name] != need[name] {
			wrong = append(wrong, fmt.Sprintf("files has %s, or lacks it, against what else it says", name))
		}
	}
	for name := range listed {
		if strings.HasPrefix(name, proof.ProofFolder+"/") && m.Proofs != proof.SingleProofs {
			return append(wrong, "files has single proofs, but the proofs aren't single")
		}
	}
	prefix := bits.OnesCount64(m.Log.First)
	if !withLog {
		prefix = 0
		if m.Log.First != m.Log.Size {
			wrong = append(wrong, "log.first isn't log.size, but there is no "+proof.LogFile)
		}
	}
	if len(m.Log.Prefix) != prefix {
		wrong = append(wrong, fmt.Sprintf("log.prefix has %d hashes, not %d", len(m.Log.Prefix), prefix))
	}
	return wrong
}

// sums checks every file against the manifest, and SHA256SUMS against both.
func (c *checker) sums() error {
	m := &c.manifest
	all := slices.Clone(m.Files)
	for _, name := range []string{proof.ManifestFile, proof.ManifestSignatureFile} {
		if size, there := c.source.sizes[name]; there {
			all = append(all, proof.File{Name: name, Size: size})
		}
	}
	slices.SortFunc(all, func(a, b proof.File) int { return strings.Compare(a.Name, b.Name) })
	left := map[string]bool{proof.SumsFile: true}
	for _, f := range all {
		left[f.Name] = true
		c.total += 2 * uint64(max(f.Size, 0)) //nolint:gosec // it isn't negative
	}
	for name := range c.source.sizes {
		if !left[name] {
			c.wrong(Sums, name, 0, "isn't in the manifest")
		}
	}
	for i := range all {
		if err := c.sum(&all[i]); err != nil {
			return err
		}
	}
	text, err := c.source.read(proof.SumsFile, maxManifest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.wrong(Sums, proof.SumsFile, 0, "is missing")
		return nil
	case err != nil:
		return c.unreadable(proof.SumsFile, err)
	}
	if want := proof.Sums(all); !bytes.Equal(text, want) {
		c.wrong(Sums, proof.SumsFile, int64(firstDifference(text, want)), "isn't what sha256sum gives for the files of the manifest")
	}
	return nil
}

// firstDifference is the line, from 1, in which two texts differ first.
func firstDifference(a, b []byte) int {
	at := 0
	for at < len(a) && at < len(b) && a[at] == b[at] {
		at++
	}
	return 1 + bytes.Count(a[:at], []byte("\n"))
}

// sum checks a file's size and sum; of the manifest and its signature, which the manifest can't know, it fills in the sum.
func (c *checker) sum(f *proof.File) error {
	size, there := c.source.sizes[f.Name]
	switch {
	case !there:
		c.wrong(Sums, f.Name, 0, "is missing")
		return nil
	case size != f.Size:
		c.wrong(Sums, f.Name, 0, "has %d bytes, the manifest says %d", size, f.Size)
		return nil
	}
	file, err := c.source.open(f.Name)
	if err != nil {
		return c.unreadable(f.Name, err)
	}
	defer file.Close()
	hash := sha256.New()
	// One byte more than there should be is enough to see that it is too long.
	n, err := io.Copy(hash, &counted{io.LimitReader(file, f.Size+1), c})
	if err != nil {
		return c.unreadable(f.Name, err)
	}
	got := proof.Hash(hash.Sum(nil))
	if f.Name == proof.ManifestFile || f.Name == proof.ManifestSignatureFile {
		f.SHA256 = got
		return nil
	}
	if got != f.SHA256 || n != f.Size {
		c.wrong(Sums, f.Name, 0, "isn't the file that the manifest says: its SHA-256 is %x, not %x", got, f.SHA256)
	}
	return nil
}

// counted tells the check what is read.
type counted struct {
	from io.Reader
	c    *checker
}

func (r *counted) Read(p []byte) (int, error) {
	if err := r.c.ctx.Err(); err != nil {
		return 0, err //nolint:wrapcheck // the caller's own
	}
	n, err := r.from.Read(p)
	r.c.read(n)
	return n, err //nolint:wrapcheck // a reader hands its reader's errors on, io.EOF as it is
}
