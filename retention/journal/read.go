package journal

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/anteroom/anteroom/store"
)

// maxLine is longer than any header.
const maxLine = 64 << 10

// errCut marks a record that ends with its file before it is complete.
var errCut = errors.New("the record is cut short")

// Read calls do with all rows of the journal in a folder that were written since a moment, in the order in which they were. It fails with ErrDamaged, which
// names file and place, where a file isn't what was written, whenever that was.
func Read(dir string, since time.Time, do func(rows store.RowText) error) error {
	if _, err := ReadAbout(dir); err != nil {
		return err
	}
	files, err := rowFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := readFile(filepath.Join(dir, name), since, do); err != nil {
			return err
		}
	}
	return nil
}

func readFile(path string, since time.Time, do func(store.RowText) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, maxLine)
	offset := int64(0)
	for {
		rows, length, err := readRecord(in, since)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errCut): // the end, or what a crash left: nobody was told that it is there
			return nil
		case err != nil:
			return fmt.Errorf("%w: %s, at byte %d: %w", ErrDamaged, path, offset, err)
		}
		if rows.Rows > 0 {
			if err := do(rows); err != nil {
				return err
			}
		}
		offset += length
	}
}

// readRecord reads one record; of one that is older than a moment no rows, but it is looked at all the same.
func readRecord(in *bufio.Reader, since time.Time) (rows store.RowText, length int64, err error) {
	var h header
	line, err := in.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		return rows, 0, io.EOF
	case errors.Is(err, io.EOF):
		return rows, 0, errCut
	case err != nil && line[len(line)-1] == 0 && onlyZeros(in):
		return rows, 0, errCut
	case err != nil:
		return rows, 0, fmt.Errorf("no header: %w", err)
	}
	length = int64(len(line))
	if err := json.Unmarshal(line, &h); err != nil {
		return rows, 0, errors.New("no header")
	}
	if again, err := h.line(); err != nil || !bytes.Equal(again, line) {
		return rows, 0, errors.Join(err, errors.New("no header"))
	}
	content := make([]byte, 0, min(h.Bytes, 1<<20))
	buffer := bytes.NewBuffer(content)
	n, err := io.CopyN(buffer, in, int64(h.Bytes)+1)
	length += n
	if errors.Is(err, io.EOF) {
		return rows, 0, errCut
	}
	if err != nil {
		return rows, 0, err
	}
	content = buffer.Bytes()
	if content[h.Bytes] == 0 && onlyZeros(in) {
		return rows, 0, errCut
	}
	if digest(content[:h.Bytes]) != h.SHA256 || content[h.Bytes] != '\n' {
		return rows, 0, errors.New("digest is another one")
	}
	if h.At.Before(since) {
		return rows, length, nil
	}
	rows = h.RowText
	r, err := gzip.NewReader(bytes.NewReader(content[:h.Bytes]))
	if err == nil {
		rows.Text, err = io.ReadAll(r)
	}
	return rows, length, err
}

// onlyZeros tells whether a file has nothing more to say: after a power cut it may be longer than what was written.
func onlyZeros(in *bufio.Reader) bool {
	for {
		b, err := in.ReadByte()
		if err != nil || b != 0 {
			return errors.Is(err, io.EOF)
		}
	}
}
