package report

import (
	"archive/zip"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/retention/proof"
)

// bundleFile is the bundle as one file.
const bundleFile = "bundle.zip"

// finish writes what stands around the rows, signs the manifest, tells the ledger of the report, and packs the bundle.
func (d *draft) finish(ctx context.Context) (made, error) {
	if err := d.clearScratch(); err != nil {
		return made{}, err
	}
	if d.wants(PDF) {
		content, err := d.summary()
		if err != nil {
			return made{}, fmt.Errorf("write summary: %w", err)
		}
		if err := d.file(writeFile(d.folder, proof.SummaryFile, content)); err != nil {
			return made{}, err
		}
	}
	if err := d.file(writeFile(d.folder, proof.ReadmeFile, []byte(d.readme()))); err != nil {
		return made{}, err
	}
	slices.SortFunc(d.m.Files, func(a, b proof.File) int { return strings.Compare(a.Name, b.Name) })
	manifest, err := d.m.Canonical()
	if err != nil {
		return made{}, err
	}
	signature, err := d.region.Ledger.SignManifest(manifest)
	if err != nil {
		return made{}, fmt.Errorf("sign manifest: %w", err)
	}
	files := slices.Clone(d.m.Files)
	for name, content := range map[string][]byte{proof.ManifestFile: manifest, proof.ManifestSignatureFile: signature} {
		f, err := writeFile(d.folder, name, content)
		if err != nil {
			return made{}, err
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b proof.File) int { return strings.Compare(a.Name, b.Name) })
	sums, err := writeFile(d.folder, proof.SumsFile, proof.Sums(files))
	if err != nil {
		return made{}, err
	}
	files = append(files, sums)
	if err := d.tellLedger(ctx, sha256.Sum256(manifest)); err != nil {
		return made{}, err
	}
	d.progress(92, d.rows)
	packed, err := d.pack(ctx, files)
	if err != nil {
		return made{}, err
	}
	d.progress(99, d.rows)
	out := made{rows: d.rows, checkpoint: string(d.checkpoint), approval: d.approval, files: []File{packed}}
	err = d.offer(&out, files)
	return out, err
}

// tellLedger puts a leaf for the report. It is in the log from the next checkpoint on, so that a later report shows that there was this one.
func (d *draft) tellLedger(ctx context.Context, digest proof.Hash) error {
	// An attempt that is made again has another manifest, and so another leaf.
	id := fmt.Sprintf("report:%s:%s:%d:%x", d.job.ID, d.region.Name, d.job.Round, digest[:4])
	leaf := proof.Leaf{
		Schema: proof.Schema, Type: proof.LeafReport, Region: d.region.Name, ID: id, At: proof.Time(d.at), Organization: d.job.Org, Digest: digest,
	}
	text, err := leaf.Canonical()
	if err != nil {
		return err
	}
	return d.region.Store.PutLeaf(ctx, id, text) //nolint:wrapcheck // the store says what it did
}

// pack puts all files into one.
func (d *draft) pack(ctx context.Context, files []proof.File) (File, error) {
	out, err := newSink(d.folder, bundleFile)
	if err != nil {
		return File{}, err
	}
	archive := zip.NewWriter(out)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	for _, f := range files {
		if err := errors.Join(ctx.Err(), d.packOne(archive, f.Name)); err != nil {
			out.abandon()
			return File{}, fmt.Errorf("pack bundle: %w", err)
		}
	}
	if err := archive.Close(); err != nil {
		out.abandon()
		return File{}, fmt.Errorf("pack bundle: %w", err)
	}
	f, err := out.done()
	return File{Name: f.Name, Bytes: f.Size, SHA256: hex.EncodeToString(f.SHA256[:]), ContentType: "application/zip"}, err
}

func (d *draft) packOne(archive *zip.Writer, name string) error {
	head := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: d.at.Truncate(time.Second)}
	head.SetMode(0o600)
	to, err := archive.CreateHeader(head)
	if err != nil {
		return err //nolint:wrapcheck // pack says what it did
	}
	from, err := os.Open(filepath.Join(d.folder, filepath.FromSlash(name)))
	if err != nil {
		return err //nolint:wrapcheck // pack says what it did
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, from.Close())
}

// offered are the files that can also be had by themselves, with their media types.
func offered() map[string]string {
	return map[string]string{
		proof.ManifestFile: "application/json", proof.CSVFile: "text/csv", proof.ParquetFile: "application/vnd.apache.parquet", proof.SummaryFile: "application/pdf",
		proof.DigestsCSVFile: "text/csv", proof.DigestsParquetFile: "application/vnd.apache.parquet",
	}
}

// offer lists what can be had by itself, and removes what is in the bundle only.
func (d *draft) offer(out *made, files []proof.File) error {
	for _, f := range files {
		if media, ok := offered()[f.Name]; ok {
			out.files = append(out.files, File{Name: f.Name, Bytes: f.Size, SHA256: hex.EncodeToString(f.SHA256[:]), ContentType: media})
			continue
		}
		if err := os.Remove(filepath.Join(d.folder, filepath.FromSlash(f.Name))); err != nil {
			return fmt.Errorf("clear bundle: %w", err)
		}
	}
	if err := os.RemoveAll(filepath.Join(d.folder, proof.ProofFolder)); err != nil {
		return fmt.Errorf("clear bundle: %w", err)
	}
	return nil
}

// readme tells somebody who has nothing but the bundle what it is.
func (d *draft) readme() string {
	var b strings.Builder
	q := &d.job.Request
	fmt.Fprintf(&b, "Report of Anteroom: %s, region %s, organisation %s\n", q.Kind, d.region.Name, d.job.Org)
	fmt.Fprintf(&b, "From %s to %s, made at %s, watermark %s\n\n", proof.Time(q.From), proof.Time(q.To), d.m.MadeAt, d.m.Watermark)
	b.WriteString("Check it, offline, with the key that you got by another way than this bundle:\n\n    anteroom verify BUNDLE --key KEY\n\n")
	b.WriteString("docs/report-format.md of Anteroom's source says what each file is, and how to check it by hand.\n\n")
	b.WriteString("What it can't prove:\n")
	for _, limit := range d.m.Limits {
		b.WriteString("  - " + limit + "\n")
	}
	b.WriteString("\nWhat outlives a purge: ")
	if d.m.BrokerRetentionMs >= 0 {
		fmt.Fprintf(&b, "brokers keep records for %s at most, sealed to keys that are destroyed. ", (time.Duration(d.m.BrokerRetentionMs) * time.Millisecond).Round(time.Minute))
	} else {
		b.WriteString("how long brokers keep records is not known; they are sealed to keys that are destroyed. ")
	}
	b.WriteString(d.m.Backup + "\n")
	if d.m.CSV != nil || d.wants(CSV) {
		b.WriteString("\nIn CSV files a cell that begins with one of = + - @, tab or carriage return has an apostrophe before it, so that no spreadsheet takes it for a " +
			"formula.\n")
	}
	return b.String()
}
