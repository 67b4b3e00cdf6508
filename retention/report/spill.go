package report

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// spill sorts more records than memory holds: by their bytes, those that come later among equals after those that come earlier. Records are gathered up to
// a bound, sorted and written to a file, again and again, and the files are merged as they are read. It is not safe for concurrent use.
type spill struct {
	dir    string
	bound  int
	arena  []byte
	places []place
	runs   []string
}

// place is where a record is in the arena.
type place struct{ begin, end int }

// spillBound is how many bytes are gathered in memory. Beside them stands a place of 16 bytes for each record.
const spillBound = 32 << 20

// newSpill makes an empty one. Its files go below dir, which must be there; close removes them.
func newSpill(dir string, bound int) *spill { return &spill{dir: dir, bound: bound} }

// add takes a record, which may be changed afterwards.
func (s *spill) add(parts ...[]byte) error {
	begin := len(s.arena)
	for _, p := range parts {
		s.arena = append(s.arena, p...)
	}
	s.places = append(s.places, place{begin, len(s.arena)})
	if len(s.arena) < s.bound {
		return nil
	}
	return s.flush()
}

func (s *spill) record(p place) []byte { return s.arena[p.begin:p.end] }

// flush writes what is gathered as a sorted run.
func (s *spill) flush() error {
	if len(s.places) == 0 {
		return nil
	}
	slices.SortStableFunc(s.places, func(a, b place) int { return bytes.Compare(s.record(a), s.record(b)) })
	file, err := os.OpenFile(filepath.Join(s.dir, fmt.Sprintf("run-%06d", len(s.runs))), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write sorted run: %w", err)
	}
	s.runs = append(s.runs, file.Name())
	out := bufio.NewWriterSize(file, 1<<16)
	var size [binary.MaxVarintLen64]byte
	for _, p := range s.places {
		record := s.record(p)
		_, _ = out.Write(size[:binary.PutUvarint(size[:], uint64(len(record)))]) // the writer keeps its error for Flush
		_, _ = out.Write(record)
	}
	if err := errors.Join(out.Flush(), file.Close()); err != nil {
		return fmt.Errorf("write sorted run: %w", err)
	}
	s.arena, s.places = s.arena[:0], s.places[:0]
	return nil
}

// each hands out all records in order. A record holds until the next one. Nothing can be added any more.
func (s *spill) each(do func(record []byte) error) error {
	if err := s.flush(); err != nil {
		return err
	}
	s.arena, s.places = nil, nil
	merge := make(runHeap, 0, len(s.runs))
	defer func() {
		for _, r := range merge {
			_ = r.file.Close() // read only
		}
	}()
	for i, name := range s.runs {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("read sorted run: %w", err)
		}
		r := &run{number: i, file: file, in: bufio.NewReaderSize(file, 1<<16)}
		more, err := r.next()
		if err != nil || !more {
			return errors.Join(err, file.Close())
		}
		merge = append(merge, r)
	}
	heap.Init(&merge)
	for len(merge) > 0 {
		r := merge[0]
		if err := do(r.record); err != nil {
			return err
		}
		more, err := r.next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&merge, 0)
		default:
			heap.Pop(&merge)
			if err := r.file.Close(); err != nil {
				return fmt.Errorf("read sorted run: %w", err)
			}
		}
	}
	return nil
}

// close removes the files.
func (s *spill) close() error {
	var errs []error
	for _, name := range s.runs {
		errs = append(errs, os.Remove(name))
	}
	s.runs = nil
	return errors.Join(errs...)
}

// run is one sorted file.
type run struct {
	number int
	file   *os.File
	in     *bufio.Reader
	record []byte
}

// next reads a record; false at the end.
func (r *run) next() (bool, error) {
	size, err := binary.ReadUvarint(r.in)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read sorted run: %w", err)
	}
	r.record = slices.Grow(r.record[:0], int(size))[:size] //nolint:gosec // written by flush
	if _, err := io.ReadFull(r.in, r.record); err != nil {
		return false, fmt.Errorf("read sorted run: %w", err)
	}
	return true, nil
}

// runHeap has the run with the smallest record in front, the earliest among equals.
type runHeap []*run

func (h runHeap) Len() int { return len(h) }

func (h runHeap) Less(i, j int) bool {
	if c := bytes.Compare(h[i].record, h[j].record); c != 0 {
		return c < 0
	}
	return h[i].number < h[j].number
}

func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for heap.Interface.
func (h *runHeap) Push(x any) { *h = append(*h, x.(*run)) } //nolint:forcetypeassert // the heap has nothing else

// Pop is for heap.Interface.
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
