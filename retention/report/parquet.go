package report

import (
	"fmt"
	"io"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/anteroom/anteroom/retention/proof"
)

// parquetRow is a line as Parquet has it: the columns of proof.CSVHeader, with their types. Times are UTC.
type parquetRow struct {
	ID           string     `parquet:"copy_id"`
	Organization string     `parquet:"organization,dict"`
	Meeting      string     `parquet:"meeting,dict"`
	Region       string     `parquet:"region,dict"`
	Class        string     `parquet:"class,dict"`
	State        string     `parquet:"state,dict"`
	Held         bool       `parquet:"held"`
	SentAt       time.Time  `parquet:"sent_at,timestamp(microsecond)"`
	DueAt        *time.Time `parquet:"due_at,timestamp(microsecond)"`
	HiddenAt     *time.Time `parquet:"hidden_at,timestamp(microsecond)"`
	PurgedAt     *time.Time `parquet:"purged_at,timestamp(microsecond)"`
	Why          string     `parquet:"why,dict"`
	RuleID       string     `parquet:"rule_id,dict"`
	RuleVersion  int64      `parquet:"rule_version"`
	RuleReason   string     `parquet:"rule_reason,dict"`
	RuleRevision string     `parquet:"rule_revision,dict"`
	LatenessMs   *int64     `parquet:"lateness_ms"`
	Attempts     int64      `parquet:"attempts"`
	BrokerExpiry *time.Time `parquet:"broker_expiry_at,timestamp(microsecond)"`
	StoredBatch  *string    `parquet:"stored_batch,dict"`
	DeletedBatch *string    `parquet:"deleted_batch,dict"`
	LogIndex     *int64     `parquet:"log_index"`
	Nonce        string     `parquet:"nonce"`
}

// rowsAtOnce is how many rows a row group has, and how many of them memory holds.
const rowsAtOnce = 50_000

// parquetWriter writes lines as Parquet.
type parquetWriter struct {
	to     *parquet.GenericWriter[parquetRow]
	buffer []parquetRow
	inRows int
}

func newParquetWriter(to io.Writer) *parquetWriter {
	return &parquetWriter{
		to: parquet.NewGenericWriter[parquetRow](to, parquet.Compression(&parquet.Zstd), parquet.CreatedBy("anteroom", "1", ""),
			parquet.KeyValueMetadata("anteroom.schema", fmt.Sprint(proof.Schema))),
		buffer: make([]parquetRow, 0, 1000),
	}
}

func (w *parquetWriter) write(l *proof.Line) error {
	r := &l.Row
	w.buffer = append(w.buffer, parquetRow{
		ID: r.ID, Organization: r.Organization, Meeting: r.Meeting, Region: r.Region, Class: string(r.Class), State: string(r.State), Held: r.Held,
		SentAt: time.Time(r.SentAt).UTC(), DueAt: plainTime(r.DueAt), HiddenAt: plainTime(r.Hidden), PurgedAt: plainTime(r.Purged), Why: string(r.Why),
		RuleID: r.Rule.ID, RuleVersion: int64(r.Rule.Version), RuleReason: r.Rule.Reason, RuleRevision: r.Rule.Revision, //nolint:gosec // versions count from 1
		LatenessMs: r.Lateness, Attempts: int64(r.Attempts), BrokerExpiry: plainTime(r.BrokerExpiry),
		StoredBatch: l.Stored, DeletedBatch: l.Deleted, LogIndex: signed(l.Index), Nonce: r.Nonce,
	})
	if len(w.buffer) < cap(w.buffer) {
		return nil
	}
	return w.flush()
}

func (w *parquetWriter) flush() error {
	n, err := w.to.Write(w.buffer)
	if err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	w.buffer = w.buffer[:0]
	if w.inRows += n; w.inRows >= rowsAtOnce {
		w.inRows = 0
		if err := w.to.Flush(); err != nil {
			return fmt.Errorf("write Parquet: %w", err)
		}
	}
	return nil
}

func (w *parquetWriter) close() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.to.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

func plainTime(t *proof.Time) *time.Time {
	if t == nil {
		return nil
	}
	plain := time.Time(*t).UTC()
	return &plain
}

func signed(n *uint64) *int64 {
	if n == nil {
		return nil
	}
	out := int64(*n) //nolint:gosec // an index of a log
	return &out
}
