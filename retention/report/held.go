package report

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// heldRow is the text of one message, or of one guest's copy of it, that a hold covers. CopyID is that of the same thing in reports on retention.
type heldRow struct {
	CopyID    string    `json:"copy_id" parquet:"copy_id"`
	Class     string    `json:"class" parquet:"class,dict"`
	MeetingID string    `json:"meeting" parquet:"meeting,dict"`
	CallID    string    `json:"call_id" parquet:"call_id,dict"`
	MessageID string    `json:"message_id" parquet:"message_id"`
	AuthorID  string    `json:"author_id" parquet:"author_id"`
	HolderID  string    `json:"holder_id" parquet:"holder_id"`
	SentAt    time.Time `json:"-" parquet:"sent_at,timestamp(microsecond)"`
	RevisedAt time.Time `json:"-" parquet:"revised_at,timestamp(microsecond)"`
	State     string    `json:"state" parquet:"state,dict"`
	Text      string    `json:"text" parquet:"text"`
	ReplyTo   string    `json:"reply_to" parquet:"reply_to"`
	FileName  string    `json:"file_name" parquet:"file_name"`
	FileURL   string    `json:"file_url" parquet:"file_url"`
}

func (r *heldRow) value() ([]byte, error) {
	return compact(struct {
		Schema int `json:"schema"`
		*heldRow
		SentAt    proof.Time `json:"sent_at"`
		RevisedAt proof.Time `json:"revised_at"`
	}{proof.Schema, r, proof.Time(r.SentAt), proof.Time(r.RevisedAt)})
}

// content is what people wrote, as event.ChatContent has it.
type content struct {
	Text     string `json:"text"`
	ReplyTo  string `json:"reply_to"`
	FileName string `json:"file_name"`
	FileURL  string `json:"file_url"`
}

// heldContent writes the text that holds cover, after the approval, which begin has put into the ledger.
func (d *draft) heldContent(ctx context.Context) error {
	t, err := newTable[heldRow](d)
	if err != nil {
		return err
	}
	classes := d.job.Request.Classes
	err = d.region.Store.EachHeld(ctx, d.filter(), func(thing *store.Thing, m *store.Message) error {
		kept := d.keptRow(thing)
		if len(classes) > 0 && !slices.Contains(classes, kept.Class) {
			return nil
		}
		row := heldRow{
			CopyID: kept.ID, Class: thing.Class, MeetingID: kept.Meeting, CallID: m.CallID, MessageID: evidence.ID(m.MessageID), State: thing.State,
			AuthorID: evidence.ID(m.AuthorID), HolderID: evidence.ID(thing.HolderID), SentAt: m.SentAt, RevisedAt: m.RevisedAt,
		}
		var c content
		if json.Unmarshal(m.Content, &c) != nil {
			return errors.New("a text isn't the JSON that it should be") // never quotes it
		}
		row.Text, row.ReplyTo, row.FileName, row.FileURL = c.Text, c.ReplyTo, c.FileName, c.FileURL
		value, err := row.value()
		if err != nil {
			return err
		}
		return t.add(value, nil, &row)
	})
	if err != nil {
		t.abandon()
		return fmt.Errorf("read held text: %w", err)
	}
	return t.done()
}

// approvalValue is what the leaf of an approval has the digest of.
type approvalValue struct {
	Schema      int        `json:"schema"`
	Nonce       string     `json:"nonce"`
	Export      string     `json:"export_id"`
	Round       int        `json:"round"`
	Request     Request    `json:"request"`
	RequestedBy string     `json:"requested_by"`
	RequestedAt proof.Time `json:"requested_at"`
	ApprovedBy  string     `json:"approved_by"`
	ApprovedAt  proof.Time `json:"approved_at"`
	Reason      string     `json:"reason"`
}

// approvalLeaf is what was put into the log of an approval. The part keeps it, so that a report on changes can show it.
type approvalLeaf struct {
	ID    string          `json:"id"`
	Value json.RawMessage `json:"value"`
}

// recordApproval puts the approval into the region's ledger and waits until it is published, before any text is read. The checkpoint that the bundle
// is proven against then covers it.
func (d *draft) recordApproval(ctx context.Context) error {
	a := d.job.Approval
	if a == nil {
		return &permanentError{"nobody has approved it"}
	}
	nonce := proof.NewNonce()
	value, err := compact(approvalValue{
		proof.Schema, hex.EncodeToString(nonce[:]), d.job.ID, d.job.Round, d.job.Request, d.job.RequestedBy, proof.Time(d.job.RequestedAt), a.By,
		proof.Time(a.At), a.Reason,
	})
	if err != nil {
		return err
	}
	// Each attempt has a nonce, and so a leaf, of its own.
	d.approval = &approvalLeaf{ID: fmt.Sprintf("approval:%s:%d:%x", d.job.ID, d.job.Round, nonce[:4]), Value: value}
	leaf := proof.Leaf{
		Schema: proof.Schema, Type: proof.LeafApproval, Region: d.region.Name, ID: d.approval.ID, At: proof.Time(a.At), Organization: d.job.Org,
		Digest: sha256.Sum256(value),
	}
	return d.putAndAwait(ctx, &leaf)
}
