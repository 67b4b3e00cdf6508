package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

// noticePage is how many entries of a timeline are read at once in search of notices.
const noticePage = 5000

// notice is one notice to one participant. Sent and acknowledged may come as two entries of the timeline, in any order.
type notice struct {
	id, participant    uuid.UUID
	kind               string
	sent, acknowledged time.Time
}

// ListNotices lists who was told when of recording and transcription (rule P2).
func (h *handlers) ListNotices(ctx context.Context, request openapi.ListNoticesRequestObject) (openapi.ListNoticesResponseObject, error) {
	j, err := h.call(ctx, request.CallId, nil)
	if err != nil {
		return nil, err
	}
	notices, err := h.notices(ctx, j)
	if err != nil {
		return nil, err
	}
	out := make([]openapi.ShownNotice, len(notices))
	for i, n := range notices {
		out[i] = openapi.ShownNotice{
			NoticeId: idOrNil(n.id), ParticipantId: n.participant, ParticipantLabel: value(j.LabelFor(n.participant)), Kind: n.kind,
			SentAt: timeOrNil(n.sent), AcknowledgedAt: timeOrNil(n.acknowledged),
		}
	}
	// Without format the header Accept decides.
	if format := request.Params.Format; value(format) != openapi.ListNoticesParamsFormatCsv && (format != nil || !prefersCSV(requestIn(ctx))) {
		return openapi.ListNotices200JSONResponse{Notices: out}, nil
	}
	text, err := noticesCSV(out)
	if err != nil {
		return nil, err
	}
	return openapi.ListNotices200TextcsvResponse{Body: bytes.NewReader(text), ContentLength: int64(len(text))}, nil
}

// prefersCSV tells whether a request's Accept header wants CSV rather than JSON (RFC 9110, 12.5.1).
func prefersCSV(r *http.Request) bool {
	if r == nil {
		return false
	}
	asCSV, asJSON := 0.0, 0.0
	for _, one := range strings.Split(strings.Join(r.Header.Values(echo.HeaderAccept), ","), ",") {
		kind, parameters, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, stated := parameters["q"]; stated {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		switch kind {
		case "text/csv":
			asCSV = weight
		case echo.MIMEApplicationJSON:
			asJSON = weight
		}
	}
	return asCSV > asJSON
}

// notices reads the call's timeline to its end and joins what belongs to one notice and participant. Of several entries that say the same,
// the earliest time counts: a record may have come twice.
func (h *handlers) notices(ctx context.Context, j *analytics.Call) ([]notice, error) {
	type key struct {
		id, participant uuid.UUID
		kind            string
	}
	found := make(map[key]*notice)
	f := store.TimelineFilter{Call: j.CallKey, Withhold: j.Withheld, Limit: noticePage}
	for i := range j.Participants {
		f.Visible = append(f.Visible, j.Participants[i].ID)
	}
	for {
		entries, err := h.reader.Timeline(ctx, f)
		if err != nil {
			return nil, err //nolint:wrapcheck // the store says what it did
		}
		for i := range entries {
			e := &entries[i]
			if e.Kind != "notice" || e.ParticipantID == uuid.Nil {
				continue
			}
			k := key{e.OperationID, e.ParticipantID, e.Name}
			if found[k] == nil {
				found[k] = &notice{id: k.id, participant: k.participant, kind: k.kind}
			}
			found[k].sent = earlier(found[k].sent, e.Attributes["sent_at"])
			found[k].acknowledged = earlier(found[k].acknowledged, e.Attributes["acknowledged_at"])
		}
		if len(entries) < noticePage {
			break
		}
		at := entries[len(entries)-1].At()
		f.After = &at
	}
	out := make([]notice, 0, len(found))
	for _, n := range found {
		out = append(out, *n)
	}
	slices.SortFunc(out, func(a, b notice) int {
		return cmp.Or(a.sent.Compare(b.sent), bytes.Compare(a.participant[:], b.participant[:]), bytes.Compare(a.id[:], b.id[:]), cmp.Compare(a.kind, b.kind))
	})
	return out, nil
}

// earlier is the earlier of a time and of one in RFC 3339; the zero time and text that is none are not known.
func earlier(known time.Time, text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || (!known.IsZero() && known.Before(t)) {
		return known
	}
	return t.UTC()
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func noticesCSV(notices []openapi.ShownNotice) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	rows := [][]string{{"notice_id", "participant_id", "participant_label", "kind", "sent_at", "acknowledged_at"}}
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format(time.RFC3339Nano)
	}
	for _, n := range notices {
		id := ""
		if n.NoticeId != nil {
			id = n.NoticeId.String()
		}
		rows = append(rows, []string{id, n.ParticipantId.String(), plainCell(n.ParticipantLabel), n.Kind, at(n.SentAt), at(n.AcknowledgedAt)})
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("write notices: %w", err)
	}
	return out.Bytes(), nil
}

// plainCell keeps a spreadsheet from taking a name for a formula.
func plainCell(s string) string {
	if s != "" && bytes.ContainsAny([]byte(s[:1]), "=+-@\t\r") {
		return "'" + s
	}
	return s
}
