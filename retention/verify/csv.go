package verify

import (
	"bytes"
	"errors"
	"io"

	"github.com/anteroom/anteroom/retention/proof"
)

// csvCheck derives rows.csv again and compares it with the file while rows come. Nil: there is none.
type csvCheck struct {
	c    *checker
	file io.ReadCloser
	// derive writes into this csvCheck.
	derive *proof.CSVWriter
	buffer []byte
	// line is the one that is compared; differs tells that it has been said.
	line    int64
	differs bool
	err     error
}

func (p *rowsPass) openCSV() error {
	form := p.c.manifest.CSV
	if _, there := p.c.source.sizes[proof.CSVFile]; form == nil || !there {
		return nil
	}
	if *form != proof.NewCSVForm(form.BOM) {
		p.c.wrong(BadManifest, proof.ManifestFile, 0, "csv isn't a form that is known to this program")
		return nil
	}
	file, err := p.c.source.open(proof.CSVFile)
	if err != nil {
		return p.c.unreadable(proof.CSVFile, err)
	}
	p.csv = &csvCheck{c: p.c, file: file, line: 1}
	p.csv.derive = proof.NewCSVWriter(p.csv, *form)
	return p.csv.derive.Begin() //nolint:wrapcheck // it says what it did
}

func (v *csvCheck) close() {
	if v != nil {
		_ = v.file.Close()
	}
}

// row derives a row's record.
func (v *csvCheck) row(l *proof.Line) error {
	if v == nil || v.differs {
		return nil
	}
	return v.derive.Write(l) //nolint:wrapcheck // it says what it did
}

// Write compares what is derived with the file.
func (v *csvCheck) Write(want []byte) (int, error) {
	if v.differs || v.err != nil {
		return len(want), nil //nolint:nilerr // end tells of it
	}
	if cap(v.buffer) < len(want) {
		v.buffer = make([]byte, len(want))
	}
	have := v.buffer[:len(want)]
	n := v.take(have)
	if v.err != nil || bytes.Equal(have[:n], want) {
		v.line += int64(bytes.Count(want, []byte("\n")))
		return len(want), nil //nolint:nilerr // end tells of it
	}
	v.differ(v.line + int64(firstDifference(have[:n], want)) - 1)
	return len(want), nil
}

// take reads from the file; at its end less than was asked for. What else fails is told at the end.
func (v *csvCheck) take(have []byte) int {
	n, err := io.ReadFull(v.file, have)
	v.c.read(n)
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		v.err = err
	}
	return n
}

func (v *csvCheck) differ(line int64) {
	v.differs = true
	v.c.wrong(CSV, proof.CSVFile, line, "isn't what the rows give")
}

// end looks whether there is more in the file.
func (v *csvCheck) end() error {
	if v == nil {
		return nil
	}
	if err := v.derive.Flush(); err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	if v.err != nil {
		return v.c.unreadable(proof.CSVFile, v.err)
	}
	if v.differs {
		return nil
	}
	if v.take(make([]byte, 1)) > 0 {
		v.differ(v.line)
	}
	return nil
}
