package verify_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/retention/verify"
)

// TestHostileBundlesAreRefused: a bundle comes from those that one doesn't trust.
func TestHostileBundlesAreRefused(t *testing.T) {
	w := newWorld(t, 30)
	good := w.report(proof.WholeProofs, 1, 0)
	folder := func(spoil func(t *testing.T, dir string)) func(*testing.T) string {
		return func(t *testing.T) string {
			dir := good.folder(t.TempDir())
			spoil(t, dir)
			return dir
		}
	}
	zipped := func(add func(*testing.T, *zip.Writer)) func(*testing.T) string {
		return func(t *testing.T) string {
			var out bytes.Buffer
			z := zip.NewWriter(&out)
			for name, content := range good.files {
				writeZipped(t, z, &zip.FileHeader{Name: name, Method: zip.Deflate}, content)
			}
			add(t, z)
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			return writeFile(t, filepath.Join(t.TempDir(), "b.zip"), out.Bytes())
		}
	}
	named := func(name string) func(*testing.T) string {
		return zipped(func(t *testing.T, z *zip.Writer) {
			writeZipped(t, z, &zip.FileHeader{Name: name}, []byte("x"))
		})
	}
	for name, c := range map[string]struct {
		path func(*testing.T) string
		want verify.Kind
	}{
		"an empty folder":        {func(t *testing.T) string { return t.TempDir() }, verify.Form},
		"no zip":                 {func(t *testing.T) string { return writeFile(t, filepath.Join(t.TempDir(), "x"), []byte("hello")) }, verify.Form},
		"a device":               {func(*testing.T) string { return os.DevNull }, verify.Form},
		"another file":           {folder(func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, "autorun.exe"), nil) }), verify.Form},
		"another folder":         {folder(func(t *testing.T, dir string) { do(t, os.Mkdir(filepath.Join(dir, "more"), 0o700)) }), verify.Form},
		"a link":                 {folder(func(t *testing.T, dir string) { link(t, dir, proof.RowsFile, "/etc/passwd") }), verify.Form},
		"a link to a folder":     {folder(func(t *testing.T, dir string) { do(t, os.Symlink("/etc", filepath.Join(dir, "proofs"))) }), verify.Form},
		"a link inside":          {folder(func(t *testing.T, dir string) { link(t, dir, proof.RowsFile, proof.LogFile) }), verify.Form},
		"a pipe":                 {folder(func(t *testing.T, dir string) { pipe(t, dir, proof.RowsFile) }), verify.Form},
		"a name that climbs":     {named("../rows.jsonl"), verify.Form},
		"a name from the root":   {named("/etc/passwd"), verify.Form},
		"a name of Windows":      {named(`..\rows.jsonl`), verify.Form},
		"a name that climbs in":  {named("proofs/../../x"), verify.Form},
		"a name twice":           {named(proof.RowsFile), verify.Form},
		"a folder":               {named("sub/"), verify.Form},
		"a name with controls":   {named("\x1b[2J" + strings.Repeat("x", 5000)), verify.Form},
		"a linked name":          {zipped(zippedLink), verify.Form},
		"an unknown compression": {zipped(unknownMethod), verify.Form},
		"a zip bomb":             {zipped(bomb), verify.Form},
		"a lie about its size":   {func(t *testing.T) string { return lyingZip(t, good) }, verify.Sums},
		"a long line": {folder(func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, proof.LogFile), bytes.Repeat([]byte("x"), 10<<20))
		}), verify.Sums},
		"deep JSON":             {sealed(w, proof.RowsFile, []byte(strings.Repeat(`{"row":`, 5000)+"\n")), verify.Lines},
		"deeper JSON":           {sealed(w, proof.RowsFile, []byte(strings.Repeat("[", 60_000)+"\n")), verify.Lines},
		"a line that is sealed": {sealed(w, proof.RowsFile, bytes.Repeat([]byte("x"), proof.MaxLine+1)), verify.Lines},
		"noise":                 {sealed(w, proof.OtherStoredFile, []byte("\xff\xfe\x00\n\n\n")), verify.Lines},
		"half of a thing":       {sealed(w, proof.OtherStoredFile, []byte(`{"copy_id":"x","batch":"y","thing":null,"hash":null}`+"\n")), verify.Lines},
		"a deep manifest": {folder(func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, proof.ManifestFile), []byte(strings.Repeat("[", 1<<20)))
		}), verify.BadManifest},
		"a huge manifest": {folder(func(t *testing.T, dir string) {
			do(t, os.Truncate(filepath.Join(dir, proof.ManifestFile), 1<<40))
		}), verify.Sums},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := verify.Bundle(t.Context(), c.path(t), verify.Options{Key: w.key})
			if err != nil {
				t.Fatal(err)
			}
			if result.OK || result.ExitCode() != c.want.ExitCode() {
				t.Errorf("exit code %d: %v, want %s", result.ExitCode(), result.Findings, c.want)
			}
			for _, f := range result.Findings {
				if strings.ContainsAny(f.String(), "\x1b\x00\n") || len(f.String()) > 2000 {
					t.Errorf("a finding shows what it was given: %q", f)
				}
			}
		})
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path string, content []byte) string {
	t.Helper()
	do(t, os.WriteFile(path, content, 0o600))
	return path
}

func link(t *testing.T, dir, name, to string) {
	t.Helper()
	do(t, os.Remove(filepath.Join(dir, name)))
	do(t, os.Symlink(to, filepath.Join(dir, name)))
}

func pipe(t *testing.T, dir, name string) {
	t.Helper()
	do(t, os.Remove(filepath.Join(dir, name)))
	do(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
}

// sealed spoils a file of a bundle and signs it all again.
func sealed(w *world, name string, content []byte) func(*testing.T) string {
	return func(t *testing.T) string {
		b := w.report(proof.WholeProofs, 1, 0)
		b.files[name] = content
		b.seal()
		return b.folder(t.TempDir())
	}
}

func writeZipped(t *testing.T, z *zip.Writer, header *zip.FileHeader, content []byte) {
	t.Helper()
	f, err := z.CreateHeader(header)
	if err == nil && !strings.HasSuffix(header.Name, "/") {
		_, err = f.Write(content)
	}
	do(t, err)
}

func zippedLink(t *testing.T, z *zip.Writer) {
	header := &zip.FileHeader{Name: proof.SummaryFile}
	header.SetMode(os.ModeSymlink | 0o777)
	writeZipped(t, z, header, []byte("/etc/passwd"))
}

func unknownMethod(t *testing.T, z *zip.Writer) {
	const method = 12
	z.RegisterCompressor(method, func(to io.Writer) (io.WriteCloser, error) { return flate.NewWriter(to, 1) })
	writeZipped(t, z, &zip.FileHeader{Name: proof.SummaryFile, Method: method}, []byte("x"))
}

func bomb(t *testing.T, z *zip.Writer) {
	writeZipped(t, z, &zip.FileHeader{Name: proof.SummaryFile, Method: zip.Deflate}, make([]byte, 64<<20))
}

// lyingZip says of a file in its folder of contents that it is as long as it should be, while more comes out of it.
func lyingZip(t *testing.T, b *bundle) string {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, content := range b.files {
		if name != proof.LogFile {
			writeZipped(t, z, &zip.FileHeader{Name: name}, content)
			continue
		}
		var long bytes.Buffer
		f, err := flate.NewWriter(&long, 9)
		do(t, err)
		_, err = f.Write(append(append([]byte{}, content...), make([]byte, 1<<20)...))
		do(t, err)
		do(t, f.Close())
		raw, err := z.CreateRaw(&zip.FileHeader{
			Name: name, Method: zip.Deflate, CompressedSize64: uint64(long.Len()), UncompressedSize64: uint64(len(content)),
		})
		do(t, err)
		_, err = raw.Write(long.Bytes())
		do(t, err)
	}
	do(t, z.Close())
	return writeFile(t, filepath.Join(t.TempDir(), "b.zip"), out.Bytes())
}

// FuzzZip: whatever a zip is spoilt to, nothing panics, and nothing but the same files holds.
func FuzzZip(f *testing.F) {
	w := newWorld(f, 10)
	b := w.report(proof.WholeProofs, 1, 3)
	good, err := os.ReadFile(b.zip(filepath.Join(f.TempDir(), "b.zip")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint(0), uint(0), []byte{})
	f.Add(uint(len(good)-10), uint(2), []byte("PK"))
	f.Fuzz(func(t *testing.T, at, length uint, with []byte) {
		path := writeFile(t, filepath.Join(t.TempDir(), "b.zip"), splice(good, at, length, with))
		result, err := verify.Bundle(t.Context(), path, verify.Options{Key: w.key})
		if err == nil && result.OK && !sameFiles(path, b.files) {
			t.Error("another bundle holds")
		}
	})
}

// FuzzLines: whatever a file is spoilt to, with everything signed again, nothing panics.
func FuzzLines(f *testing.F) {
	w := newWorld(f, 10)
	names := []string{proof.RowsFile, proof.OtherStoredFile, proof.OtherDeletedFile, proof.LogFile, proof.CheckpointFile, proof.CSVFile}
	b := w.report(proof.WholeProofs, 1, 0)
	f.Add(uint(0), uint(0), uint(0), []byte{})
	f.Add(uint(1), uint(20), uint(2), []byte("[]\n"))
	f.Fuzz(func(t *testing.T, file, at, length uint, with []byte) {
		name := names[file%uint(len(names))]
		good := b.files[name]
		b.files[name] = splice(good, at, length, with)
		b.seal()
		_, _ = verify.Bundle(t.Context(), b.folder(t.TempDir()), verify.Options{Key: w.key})
		b.files[name] = good
	})
}

// splice puts something else in the place of a part.
func splice(content []byte, at, length uint, with []byte) []byte {
	at = min(at, uint(len(content)))
	length = min(length, uint(len(content))-at)
	return slices.Concat(content[:at], with, content[at+length:])
}
