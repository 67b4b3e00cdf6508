package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/proof"
)

// merge makes lines of the records of one id after the other, and writes them in all formats.
type merge struct {
	d     *draft
	known batches
	whole bool

	// group are the records of the id that is being gathered.
	id    string
	group []record

	rows, otherStored, otherDeleted *sink
	csvFile, parquetFile            *sink
	csv                             *proof.CSVWriter
	parquet                         *parquetWriter
	rules                           map[proof.AppliedAs]bool
	// proven are the deleted rows, by batch, that single proofs are wanted of, and singles is how many they are.
	proven  map[uuid.UUID][]string
	singles int
	total   int64
}

func (d *draft) newMerge(known batches, whole bool) (_ *merge, err error) {
	m := &merge{d: d, known: known, whole: whole, rules: make(map[proof.AppliedAs]bool), proven: make(map[uuid.UUID][]string)}
	open := func(to **sink, name string) {
		if err == nil {
			*to, err = newSink(d.folder, name)
		}
	}
	open(&m.rows, proof.RowsFile)
	if whole {
		open(&m.otherStored, proof.OtherStoredFile)
		open(&m.otherDeleted, proof.OtherDeletedFile)
	}
	if d.wants(CSV) {
		open(&m.csvFile, proof.CSVFile)
	}
	if d.wants(Parquet) {
		open(&m.parquetFile, proof.ParquetFile)
	}
	if err != nil {
		m.abandon()
		return nil, err
	}
	if m.csvFile != nil {
		form := proof.NewCSVForm(d.job.Request.BOM)
		d.m.CSV, m.csv = &form, proof.NewCSVWriter(m.csvFile, form)
		if err := m.csv.Begin(); err != nil {
			m.abandon()
			return nil, err
		}
	}
	if m.parquetFile != nil {
		m.parquet = newParquetWriter(m.parquetFile)
	}
	for _, b := range known {
		if !b.deleted {
			m.total += b.seen
		}
	}
	return m, nil
}

func (m *merge) sinks() []*sink {
	return slices.DeleteFunc([]*sink{m.rows, m.otherStored, m.otherDeleted, m.csvFile, m.parquetFile}, func(s *sink) bool { return s == nil })
}

func (m *merge) abandon() {
	for _, s := range m.sinks() {
		s.abandon()
	}
}

// take takes the next record in order.
func (m *merge) take(b []byte) error {
	r, err := readRecord(b)
	if err != nil {
		return err
	}
	if r.id != m.id {
		if err := m.flush(); err != nil {
			return err
		}
		m.id = r.id
	}
	r.rest = bytes.Clone(r.rest)
	m.group = append(m.group, r)
	return nil
}

// flush writes the line of the gathered id, if it is the report's, and what its batches have beside it.
func (m *merge) flush() error {
	if len(m.group) == 0 {
		return nil
	}
	group := m.group
	m.group = m.group[:0]
	line, err := m.line(group)
	if err != nil {
		return err
	}
	if line != nil {
		if err := m.write(line); err != nil {
			return err
		}
	}
	if !m.whole {
		return nil
	}
	return m.others(group, line)
}

// line makes the line of an id; nil if it isn't the report's.
func (m *merge) line(group []record) (*proof.Line, error) {
	var line proof.Line
	var kept, gone, stored *record
	for i := range group {
		r := &group[i]
		switch r.kind {
		case storedRecord:
			if stored == nil || m.before(r.batch, stored.batch) {
				stored = r
			}
		case keptRecord:
			kept = cmp.Or(kept, r)
		case goneRecord:
			gone = cmp.Or(gone, r)
		}
	}
	var err error
	switch {
	case gone != nil:
		line.Row, err = decodeRow(gone.id, gone.rest)
		if b := m.known[gone.batch]; b != nil && b.published {
			batch, index := gone.batch.String(), b.index
			line.Deleted, line.Index = &batch, &index
			if !m.whole {
				m.proven[gone.batch] = append(m.proven[gone.batch], gone.id)
				if m.singles++; m.singles > maxSingles {
					return nil, errSingles()
				}
			}
		} else {
			m.unproven(&line.Row)
		}
	case kept != nil:
		line.Row, err = decodeRow(kept.id, kept.rest)
	case stored != nil:
		line.Row, err = unknownRow(stored)
	default:
		return nil, nil //nolint:nilnil // another's
	}
	if err != nil {
		return nil, err
	}
	if stored != nil && m.known[stored.batch] != nil && m.known[stored.batch].published {
		batch := stored.batch.String()
		line.Stored = &batch
	}
	return &line, nil
}

// before tells which of two batches is the earlier in the log; what isn't published comes last.
func (m *merge) before(a, b uuid.UUID) bool {
	one, other := m.known[a], m.known[b]
	if one == nil || other == nil || one.published != other.published {
		return one != nil && one.published
	}
	return one.index < other.index
}

// unproven makes of a row of what is gone one of what can't be read: nothing is called purged that isn't proven. How late it is counts up to the
// moment of the report, as of all that isn't gone.
func (m *merge) unproven(r *proof.Row) {
	if r.Lateness != nil && r.Purged != nil {
		from := time.Time(*r.Purged).Add(-time.Duration(*r.Lateness) * time.Millisecond)
		late := max(0, m.d.at.Sub(from).Milliseconds())
		r.Lateness = &late
	}
	r.State, r.Purged, r.Nonce = proof.Hidden, nil, ""
}

// unknownRow is of a thing that the log knows as stored and that is neither kept nor gone.
func unknownRow(stored *record) (proof.Row, error) {
	thing, err := decodeThing(stored.id, stored.rest)
	return proof.Row{
		Schema: proof.Schema, ID: thing.ID, Organization: thing.Organization, Region: thing.Region, Class: thing.Class, State: proof.Unknown, SentAt: thing.SentAt,
	}, err
}

func (m *merge) write(l *proof.Line) error {
	text, err := l.Canonical()
	if err != nil {
		return err
	}
	errs := []error{m.rows.line(text), m.d.m.Counts.Add(l, m.d.region.PurgeWindow)}
	if m.csv != nil {
		errs = append(errs, m.csv.Write(l))
	}
	if m.parquet != nil {
		errs = append(errs, m.parquet.write(l))
	}
	if l.Row.Rule.ID != "" {
		m.rules[l.Row.Rule] = true
	}
	m.d.tally.add(&l.Row)
	if m.d.rows++; m.d.rows%1000 == 0 {
		m.d.progress(50+40*min(1, float64(m.d.rows)/float64(max(m.total, 1))), m.d.rows)
	}
	return errors.Join(errs...)
}

// others writes what the batches of an id have beside its line.
func (m *merge) others(group []record, line *proof.Line) error {
	var stored, gone string
	if line != nil && line.Stored != nil {
		stored = *line.Stored
	}
	if line != nil && line.Deleted != nil {
		gone = *line.Deleted
	}
	seen := make(map[string]bool, len(group))
	slices.SortStableFunc(group, func(a, b record) int { return bytes.Compare(a.batch[:], b.batch[:]) })
	for i := range group {
		r := &group[i]
		id, b := r.batch.String(), m.known[r.batch]
		if b == nil || !b.published {
			continue
		}
		switch r.kind {
		case storedRecord, otherStoredRecord:
			if id == stored || seen["stored"+id] {
				continue
			}
			seen["stored"+id] = true
			if err := m.writeOtherStored(r); err != nil {
				return err
			}
		case goneRecord, otherGoneRecord:
			if id == gone || seen["gone"+id] {
				continue
			}
			seen["gone"+id] = true
			if err := m.writeOtherDeleted(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *merge) writeOtherStored(r *record) error {
	thing, err := decodeThing(r.id, r.rest)
	if err != nil {
		return err
	}
	other := proof.OtherStored{ID: r.id, Batch: r.batch.String()}
	if thing.Organization == m.d.job.Org {
		other.Thing = &thing
	} else {
		hash, err := thing.Hash()
		if err != nil {
			return err
		}
		other.Hash = &hash
	}
	text, err := other.Canonical()
	if err != nil {
		return err
	}
	return m.otherStored.line(text)
}

func (m *merge) writeOtherDeleted(r *record) error {
	if r.kind != otherGoneRecord || len(r.rest) != hashLen {
		return fmt.Errorf("%w: a row of batch %s is in no line", errRecord, r.batch)
	}
	other := proof.OtherDeleted{ID: r.id, Batch: r.batch.String(), Hash: proof.Hash(r.rest)}
	text, err := other.Canonical()
	if err != nil {
		return err
	}
	return m.otherDeleted.line(text)
}

// done ends the files and fills in what the manifest says of the rows.
func (m *merge) done() error {
	var errs []error
	if m.csv != nil {
		errs = append(errs, m.csv.Flush())
	}
	if m.parquet != nil {
		errs = append(errs, m.parquet.close())
	}
	for _, s := range m.sinks() {
		errs = append(errs, m.d.file(s.done()))
	}
	for rule := range m.rules {
		m.d.m.Rules = append(m.d.m.Rules, rule)
	}
	slices.SortFunc(m.d.m.Rules, func(a, b proof.AppliedAs) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Revision, b.Revision))
	})
	return errors.Join(errs...)
}
