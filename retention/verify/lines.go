package verify

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/anteroom/anteroom/retention/proof"
)

var (
	errLong = fmt.Errorf("the line is longer than %d MiB", proof.MaxLine>>20)
	errOpen = errors.New("the last line has no end")
)

// lines reads a JSON Lines file line by line.
type lines struct {
	name string
	file io.Closer
	from *bufio.Reader
	at   int64
	read func(int)
}

// lines opens a file. What isn't there has no line: that it is missing is told by its sum.
func (c *checker) lines(name string) (*lines, error) {
	l := &lines{name: name, from: bufio.NewReader(noLines{}), read: c.read}
	if _, there := c.source.sizes[name]; !there {
		return l, nil
	}
	file, err := c.source.open(name)
	if err != nil {
		return nil, err
	}
	l.file, l.from = file, bufio.NewReaderSize(file, proof.MaxLine+1)
	return l, nil
}

type noLines struct{}

func (noLines) Read([]byte) (int, error) { return 0, io.EOF }

// next gives the next line without its end, good until the next call; io.EOF after the last.
func (l *lines) next() ([]byte, error) {
	text, err := l.from.ReadSlice('\n')
	l.read(len(text))
	switch {
	case err == nil:
		l.at++
		return text[:len(text)-1], nil
	case errors.Is(err, bufio.ErrBufferFull):
		l.at++
		return nil, errLong
	case errors.Is(err, io.EOF) && len(text) > 0:
		l.at++
		return nil, errOpen
	}
	return nil, err //nolint:wrapcheck // io.EOF as it is, and the caller says what it read
}

func (l *lines) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}
