package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// noticeRow is one notice to one participant.
type noticeRow struct {
	CallID        string     `json:"call_id" parquet:"call_id"`
	MeetingID     string     `json:"meeting" parquet:"meeting,dict"`
	NoticeID      string     `json:"notice_id" parquet:"notice_id"`
	Kind          string     `json:"notice" parquet:"notice,dict"`
	ParticipantID string     `json:"participant_id" parquet:"participant_id"`
	Participant   string     `json:"participant" parquet:"participant"`
	SentAt        *time.Time `json:"-" parquet:"sent_at,timestamp(microsecond)"`
	Acknowledged  *time.Time `json:"-" parquet:"acknowledged_at,timestamp(microsecond)"`
}

// value is the row's JSON: one form, like all that is signed here.
func (r *noticeRow) value() ([]byte, error) {
	return compact(struct {
		Schema int `json:"schema"`
		*noticeRow
		SentAt       *proof.Time `json:"sent_at"`
		Acknowledged *proof.Time `json:"acknowledged_at"`
	}{proof.Schema, r, evidence.Moment(r.SentAt), evidence.Moment(r.Acknowledged)})
}

// compact is JSON without spaces and without escapes that JSON doesn't need.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write row: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// labelOf names a participant: whoever isn't proven to be a user of the organisation is Anonymous (rule D2).
func labelOf(n *store.Notice) string {
	switch {
	case n.Identity != store.OrgUser:
		return "Anonymous"
	case n.DisplayName != "":
		return n.DisplayName
	case n.UserID != "":
		return n.UserID
	}
	return "Org user"
}

// notices writes who was told when of recording and transcription.
func (d *draft) notices(ctx context.Context) error {
	t, err := newTable[noticeRow](d)
	if err != nil {
		return err
	}
	err = d.region.Store.EachNotice(ctx, d.filter(), func(n *store.Notice) error {
		row := noticeRow{
			CallID: n.CallID, MeetingID: n.MeetingID, NoticeID: evidence.ID(n.NoticeID), Kind: n.Kind, ParticipantID: evidence.ID(n.ParticipantID),
			Participant: labelOf(n), SentAt: n.SentAt, Acknowledged: n.AcknowledgedAt,
		}
		value, err := row.value()
		if err != nil {
			return err
		}
		return t.add(value, nil, &row)
	})
	if err != nil {
		t.abandon()
		return fmt.Errorf("read notices: %w", err)
	}
	return errors.Join(t.done())
}
