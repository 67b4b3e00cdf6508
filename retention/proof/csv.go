package proof

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CSVForm says how CSVFile is derived from RowsFile.
type CSVForm struct {
	// BOM: the file begins with the byte order mark of UTF-8, for spreadsheets that ask for it.
	BOM bool `json:"bom"`
	// Apostrophe are the characters before which a cell that begins with one of them got an apostrophe, so that no spreadsheet takes it for a formula.
	Apostrophe string `json:"apostrophe_before"`
}

// NewCSVForm is the form that is made.
func NewCSVForm(bom bool) CSVForm { return CSVForm{BOM: bom, Apostrophe: formulas} }

const (
	formulas = "=+-@\t\r"
	bom      = "\ufeff"
)

// CSVHeader names the columns of CSVFile.
func CSVHeader() []string {
	return []string{
		"copy_id", "organization", "meeting", "region", "class", "state", "held", "sent_at", "due_at", "hidden_at", "purged_at", "why",
		"rule_id", "rule_version", "rule_reason", "rule_revision", "lateness_ms", "attempts", "broker_expiry_at",
		"stored_batch", "deleted_batch", "log_index", "nonce",
	}
}

// CSV are the cells of a line, in the order of CSVHeader. Null is an empty cell.
func (l *Line) CSV() []string {
	r := &l.Row
	cells := []string{
		r.ID, r.Organization, r.Meeting, r.Region, string(r.Class), string(r.State), strconv.FormatBool(r.Held), r.SentAt.String(),
		timeCell(r.DueAt), timeCell(r.Hidden), timeCell(r.Purged), string(r.Why),
		r.Rule.ID, strconv.FormatUint(r.Rule.Version, 10), r.Rule.Reason, r.Rule.Revision,
		cell(r.Lateness, func(v int64) string { return strconv.FormatInt(v, 10) }), strconv.Itoa(r.Attempts), timeCell(r.BrokerExpiry),
		cell(l.Stored, func(v string) string { return v }), cell(l.Deleted, func(v string) string { return v }),
		cell(l.Index, func(v uint64) string { return strconv.FormatUint(v, 10) }), r.Nonce,
	}
	for i, c := range cells {
		if c != "" && strings.ContainsRune(formulas, rune(c[0])) {
			cells[i] = "'" + c
		}
	}
	return cells
}

// CSVWriter writes CSVFile: RFC 4180 with CRLF, a header, a record per line. Cells are quoted only where they must be.
type CSVWriter struct {
	to  io.Writer
	csv *csv.Writer
	bom bool
}

// NewCSVWriter makes a writer. Begin comes first, Flush last.
func NewCSVWriter(to io.Writer, form CSVForm) *CSVWriter {
	w := &CSVWriter{to: to, csv: csv.NewWriter(to), bom: form.BOM}
	w.csv.UseCRLF = true
	return w
}

// Begin writes the mark, if there is to be one, and the header.
func (w *CSVWriter) Begin() error {
	if w.bom {
		if _, err := io.WriteString(w.to, bom); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	return w.record(CSVHeader())
}

// Write writes a line's record.
func (w *CSVWriter) Write(l *Line) error { return w.record(l.CSV()) }

func (w *CSVWriter) record(cells []string) error {
	if err := w.csv.Write(cells); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// Flush writes what is left.
func (w *CSVWriter) Flush() error {
	w.csv.Flush()
	if err := w.csv.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

func timeCell(t *Time) string { return cell(t, Time.String) }

// cell is what a value is written as, null as nothing.
func cell[T any](value *T, text func(T) string) string {
	if value == nil {
		return ""
	}
	return text(*value)
}
