package report

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"github.com/anteroom/anteroom/retention/proof"
)

// sink is a file that is being written, and hashed as it is.
type sink struct {
	name string
	file *os.File
	out  *bufio.Writer
	sum  hash.Hash
	size int64
}

// newSink makes a file in a folder. name has slashes between folders that are there.
func newSink(folder, name string) (*sink, error) {
	file, err := os.OpenFile(filepath.Join(folder, filepath.FromSlash(name)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make file of report: %w", err)
	}
	s := &sink{name: name, file: file, sum: sha256.New()}
	s.out = bufio.NewWriterSize(hashed{s}, 1<<18)
	return s, nil
}

// hashed writes to the file and to its hash.
type hashed struct{ s *sink }

func (h hashed) Write(p []byte) (int, error) {
	n, err := h.s.file.Write(p)
	_, _ = h.s.sum.Write(p[:n]) // a hash takes everything
	h.s.size += int64(n)
	return n, err //nolint:wrapcheck // the sink says whose it is
}

// Write is io.Writer.
func (s *sink) Write(p []byte) (int, error) { return s.out.Write(p) } //nolint:wrapcheck // done says whose it is

// line writes a line.
func (s *sink) line(text []byte) error {
	if len(text) > proof.MaxLine {
		return fmt.Errorf("write %s: a line has more than %d bytes", s.name, proof.MaxLine)
	}
	_, _ = s.out.Write(text) // the writer keeps its error
	if err := s.out.WriteByte('\n'); err != nil {
		return fmt.Errorf("write %s: %w", s.name, err)
	}
	return nil
}

// done ends the file and tells what it is.
func (s *sink) done() (proof.File, error) {
	if err := errors.Join(s.out.Flush(), s.file.Close()); err != nil {
		return proof.File{}, fmt.Errorf("write %s: %w", s.name, err)
	}
	return proof.File{Name: s.name, Size: s.size, SHA256: proof.Hash(s.sum.Sum(nil))}, nil
}

// abandon closes a file that is of no use any more.
func (s *sink) abandon() {
	if s != nil {
		_ = s.file.Close() // its folder is removed
	}
}

// writeFile writes a whole file.
func writeFile(folder, name string, content []byte) (proof.File, error) {
	s, err := newSink(folder, name)
	if err != nil {
		return proof.File{}, err
	}
	if _, err := s.Write(content); err != nil {
		s.abandon()
		return proof.File{}, fmt.Errorf("write %s: %w", name, err)
	}
	return s.done()
}
