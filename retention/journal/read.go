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

// Read calls do with all rows of the journal in a folder, in the order in which they were written, file and offset for who has to say where something is.
// It fails with ErrDamaged, which names them, where a file isn't what was written.
func Read(dir string, do func(rows store.RowText) error) error {
	if _, err := ReadAbout(dir); err != nil {
		return err
	}
	files, err := rowFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := readFile(filepath.Join(dir, name), func(_ header, rows store.RowText) error { return do(rows) }); err != nil {
			return err
		}
	}
	return nil
}

func readFile(path string, do func(header, store.RowText) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, maxLine)
	offset := int64(0)
	for {
		h, rows, length, err := readRecord(in)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errCut): // the end, or what a crash left: nobody was told that it is there
			return nil
		case err != nil:
			return fmt.Errorf("%w: %s, at byte %d: %w", ErrDamaged, path, offset, err)
		}
		if err := do(h, rows); err != nil {
			return err
		}
		offset += length
	}
}

func readRecord(in *bufio.Reader) (h header, rows store.RowText, length int64, err error) {
	line, err := in.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		return h, rows, 0, io.EOF
	case errors.Is(err, io.EOF):
		return h, rows, 0, errCut
	case err != nil && line[len(line)-1] == 0 && onlyZeros(in):
		return h, rows, 0, errCut
	case err != nil:
		return h, rows, 0, fmt.Errorf("no header: %w", err)
	}
	length = int64(len(line))
	if err := json.Unmarshal(line, &h); err != nil {
		return h, rows, 0, errors.New("no header")
	}
	if again, err := h.line(); err != nil || !bytes.Equal(again, line) {
		return h, rows, 0, errors.Join(err, errors.New("no header"))
	}
	content := make([]byte, 0, min(h.Bytes, 1<<20))
	buffer := bytes.NewBuffer(content)
	n, err := io.CopyN(buffer, in, int64(h.Bytes)+1)
	length += n
	if errors.Is(err, io.EOF) {
		return h, rows, 0, errCut
	}
	if err != nil {
		return h, rows, 0, err
	}
	content = buffer.Bytes()
	if content[h.Bytes] == 0 && onlyZeros(in) {
		return h, rows, 0, errCut
	}
	if digest(content[:h.Bytes]) != h.SHA256 || content[h.Bytes] != '\n' {
		return h, rows, 0, errors.New("digest is another one")
	}
	rows = h.RowText
	r, err := gzip.NewReader(bytes.NewReader(content[:h.Bytes]))
	if err == nil {
		rows.Text, err = io.ReadAll(r)
	}
	return h, rows, length, err
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

// firstAt is when the first record of a file was written; of a file without one, when the file was changed last.
func firstAt(path string) (time.Time, error) {
	at, found := time.Time{}, errors.New("found")
	err := readFile(path, func(h header, _ store.RowText) error {
		at = h.At
		return found
	})
	switch {
	case errors.Is(err, found):
		return at, nil
	case err != nil:
		return at, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return at, fmt.Errorf("read journal: %w", err)
	}
	return info.ModTime().UTC(), nil
}
