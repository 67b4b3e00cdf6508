package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/anteroom/anteroom/retention/proof"
)

// table writes rows of one type as lines of digests.jsonl and, if asked for, as CSV and Parquet. The type is a struct of texts, numbers, truths and
// times, or pointers to them, whose parquet tags name the columns.
type table[T any] struct {
	d *draft

	lines, csvFile, parquetFile *sink
	csv                         *csv.Writer
	parquet                     *parquet.GenericWriter[T]
	inGroup                     int
}

func newTable[T any](d *draft) (_ *table[T], err error) {
	t := &table[T]{d: d}
	open := func(to **sink, name string) {
		if err == nil {
			*to, err = newSink(d.folder, name)
		}
	}
	open(&t.lines, proof.DigestsFile)
	if d.wants(CSV) {
		open(&t.csvFile, proof.DigestsCSVFile)
	}
	if d.wants(Parquet) {
		open(&t.parquetFile, proof.DigestsParquetFile)
	}
	if err == nil && t.csvFile != nil {
		err = t.beginCSV()
	}
	if err != nil {
		t.abandon()
		return nil, err
	}
	if t.parquetFile != nil {
		t.parquet = parquet.NewGenericWriter[T](t.parquetFile, parquet.Compression(&parquet.Zstd), parquet.CreatedBy("anteroom", "1", ""))
	}
	return t, nil
}

const byteOrderMark = "\ufeff"

func (t *table[T]) beginCSV() error {
	if t.d.job.Request.BOM {
		if _, err := io.WriteString(t.csvFile, byteOrderMark); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	t.csv = csv.NewWriter(t.csvFile)
	t.csv.UseCRLF = true
	return t.record(columnsOf(reflect.TypeFor[T]()))
}

func (t *table[T]) record(cells []string) error {
	for i, c := range cells {
		cells[i] = guarded(c)
	}
	if err := t.csv.Write(cells); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// guarded keeps a spreadsheet from taking a cell for a formula.
func guarded(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// add writes a row. value is its JSON, index that of the leaf whose digest it has, if there is one.
func (t *table[T]) add(value []byte, index *uint64, row *T) error {
	errs := []error{t.line(value, index)}
	if t.csv != nil {
		errs = append(errs, t.record(cellsOf(reflect.ValueOf(row).Elem())))
	}
	if t.parquet != nil {
		_, err := t.parquet.Write([]T{*row})
		errs = append(errs, err)
		if t.inGroup++; t.inGroup == rowsAtOnce {
			t.inGroup = 0
			errs = append(errs, t.parquet.Flush())
		}
	}
	if t.d.rows++; t.d.rows%1000 == 0 {
		t.d.progress(min(90, 90*float64(t.d.rows)/(float64(t.d.rows)+50_000)), t.d.rows) // How many there are isn't known before.
	}
	return errors.Join(errs...)
}

// line writes a line of digests.jsonl that is no row.
func (t *table[T]) line(value []byte, index *uint64) error {
	line := proof.DigestLine{Value: value, Index: index}
	text, err := line.Canonical()
	if err != nil {
		return err
	}
	return t.lines.line(text)
}

func (t *table[T]) abandon() {
	for _, s := range []*sink{t.lines, t.csvFile, t.parquetFile} {
		s.abandon()
	}
}

// done ends the files.
func (t *table[T]) done() error {
	var errs []error
	if t.csv != nil {
		t.csv.Flush()
		errs = append(errs, t.csv.Error())
	}
	if t.parquet != nil {
		errs = append(errs, t.parquet.Close())
	}
	if err := errors.Join(errs...); err != nil {
		t.abandon()
		return fmt.Errorf("write rows: %w", err)
	}
	for _, s := range []*sink{t.lines, t.csvFile, t.parquetFile} {
		if s != nil {
			errs = append(errs, t.d.file(s.done()))
		}
	}
	return errors.Join(errs...)
}

// columnsOf are the names of a struct's columns.
func columnsOf(of reflect.Type) []string {
	names := make([]string, of.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(of.Field(i).Tag.Get("parquet"), ",")
	}
	return names
}

// cellsOf are a struct's fields as text. Null is an empty cell.
func cellsOf(row reflect.Value) []string {
	cells := make([]string, row.NumField())
	for i := range cells {
		field := row.Field(i)
		if field.Kind() == reflect.Pointer {
			if field.IsNil() {
				continue
			}
			field = field.Elem()
		}
		switch v := field.Interface().(type) {
		case time.Time:
			cells[i] = proof.Time(v).String()
		case string:
			cells[i] = v
		case int64:
			cells[i] = strconv.FormatInt(v, 10)
		case bool:
			cells[i] = strconv.FormatBool(v)
		case float64:
			cells[i] = strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return cells
}
