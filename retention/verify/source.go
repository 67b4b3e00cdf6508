package verify

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/anteroom/anteroom/retention/proof"
)

// Limits of what is looked at. No bundle that was made by the service comes near them.
const (
	maxManifest = 64 << 20
	maxSmall    = 64 << 10 // signatures, checkpoints, single proofs
	maxFiles    = 200_000
	maxTotal    = 1 << 40
	// maxRatio bounds how much larger than its compressed form a file may be: half of each row can't be compressed.
	maxRatio = 100
)

// proofName is a single proof's.
var proofName = regexp.MustCompile(`^` + proof.ProofFolder + `/[0-9a-f]{64}\` + proof.ProofEnding + `$`)

// known tells whether a bundle may have a file of that name.
func known(name string) bool {
	switch name {
	case proof.ManifestFile, proof.ManifestSignatureFile, proof.SumsFile, proof.CheckpointFile, proof.PreviousCheckpointFile, proof.LogFile, proof.RowsFile,
		proof.OtherStoredFile, proof.OtherDeletedFile, proof.CSVFile, proof.ParquetFile, proof.SummaryFile, proof.ReadmeFile, proof.DigestsFile, proof.DigestsCSVFile,
		proof.DigestsParquetFile:
		return true
	}
	return proofName.MatchString(name)
}

// formError is about what a bundle must not be.
type formError struct{ file, what string }

func (e *formError) Error() string { return e.file + ": " + e.what }

// source is a bundle's files.
type source struct {
	sizes map[string]int64
	open  func(name string) (io.ReadCloser, error)
	close func() error
}

// openSource opens a folder or a zip. A *formError says why it is refused.
func openSource(path string) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	switch {
	case info.IsDir():
		return openFolder(path)
	case !info.Mode().IsRegular():
		return nil, &formError{path, "is neither a folder nor a file"}
	}
	return openZip(path)
}

func openFolder(path string) (*source, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	s := &source{sizes: map[string]int64{}, close: root.Close}
	s.open = func(name string) (io.ReadCloser, error) {
		// No link and no pipe that came in between is followed or waited for.
		return root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) //nolint:wrapcheck // the caller says what it read
	}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("look at bundle: %w", err)
		case entry.IsDir() && (name == "." || name == proof.ProofFolder):
			return nil
		case !entry.Type().IsRegular():
			return &formError{name, "is not a regular file"}
		}
		info, err := root.Lstat(name)
		if err != nil {
			return fmt.Errorf("look at bundle: %w", err)
		}
		return s.add(name, info.Size())
	})
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

func openZip(path string) (*source, error) {
	archive, err := zip.OpenReader(path)
	var outside *fs.PathError
	switch {
	case errors.As(err, &outside):
		return nil, fmt.Errorf("open bundle: %w", err)
	case err != nil:
		return nil, &formError{path, "is not a zip that can be read"}
	}
	s := &source{sizes: map[string]int64{}, close: archive.Close}
	files := map[string]*zip.File{}
	s.open = func(name string) (io.ReadCloser, error) {
		if files[name] == nil {
			return nil, fs.ErrNotExist
		}
		return files[name].Open() //nolint:wrapcheck // the caller says what it read
	}
	for _, file := range archive.File {
		if err := s.addZipped(file); err != nil {
			return nil, errors.Join(err, archive.Close())
		}
		files[file.Name] = file
	}
	return s, nil
}

func (s *source) addZipped(file *zip.File) error {
	const encrypted = 1
	switch {
	case file.Name == proof.ProofFolder+"/" && file.UncompressedSize64 == 0:
		return nil
	case strings.HasSuffix(file.Name, "/") || !file.Mode().IsRegular():
		return &formError{Printable(file.Name), "is not a regular file"}
	case file.Flags&encrypted != 0 || (file.Method != zip.Store && file.Method != zip.Deflate):
		return &formError{Printable(file.Name), "is encrypted, or compressed in a way that no bundle is"}
	case file.UncompressedSize64 > maxTotal || file.UncompressedSize64 > 1<<20+maxRatio*file.CompressedSize64:
		return &formError{Printable(file.Name), "is larger, uncompressed, than any file of a bundle"}
	}
	return s.add(file.Name, int64(file.UncompressedSize64)) //nolint:gosec // it is below maxTotal
}

func (s *source) add(name string, size int64) error {
	if !known(name) {
		return &formError{Printable(name), "is no file of a bundle"}
	}
	if _, twice := s.sizes[name]; twice {
		return &formError{name, "is there twice"}
	}
	if s.sizes[name] = size; len(s.sizes) > maxFiles {
		return &formError{name, "is one file too many"}
	}
	return nil
}

// read reads a whole file of at most so many bytes.
func (s *source) read(name string, most int64) ([]byte, error) {
	if _, there := s.sizes[name]; !there {
		return nil, fs.ErrNotExist
	}
	file, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	return text, err //nolint:wrapcheck // the caller says what it read
}
