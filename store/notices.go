package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Notice is one notice of recording or transcription to one participant of a call.
type Notice struct {
	CallID    string
	MeetingID string
	NoticeID  uuid.UUID
	// Kind is what was told of.
	Kind          string
	ParticipantID uuid.UUID
	// Identity is 0 where nothing is known of who it is. UserID and DisplayName are those of a proven org user, else empty.
	Identity            Identity
	UserID, DisplayName string
	// SentAt and AcknowledgedAt are nil where they aren't known.
	SentAt, AcknowledgedAt *time.Time
}

// EachNotice calls do for each notice of an organisation that was sent in a time (or, where only that is known, acknowledged), in order of that, once.
// What was told to guests of calls that still run is left out (rule D3). Classes and Resource of the filter mean nothing here. do must not keep the Notice.
//
// Sent and acknowledged may be two entries of the timeline, and an entry may have come twice: the earliest times count.
func (s *Store) EachNotice(ctx context.Context, f ThingFilter, do func(*Notice) error) error {
	// The entries of a notice were observed when it was sent and when it was acknowledged: a day around the window has both for all that matters.
	const entries = `org = {org:String} AND kind = 'notice' AND participant_id != toUUID('00000000-0000-0000-0000-000000000000')
		AND observed_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') - INTERVAL 1 DAY AND observed_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC') + INTERVAL 1 DAY`
	const calls = `org = {org:String} AND call_id IN (SELECT call_id FROM timeline WHERE ` + entries + `)`
	sql := `SELECT n.call_id, c.meeting, n.operation_id, n.kind_, n.participant_id, p.identity_, p.user_id_, p.display_name_, n.sent, n.acknowledged FROM (
			SELECT call_id, operation_id, toString(name) AS kind_, participant_id,
				min(parseDateTime64BestEffortOrNull(attributes['sent_at'], 6, 'UTC')) AS sent,
				min(parseDateTime64BestEffortOrNull(attributes['acknowledged_at'], 6, 'UTC')) AS acknowledged,
				ifNull(sent, acknowledged) AS at
			FROM timeline WHERE ` + entries + ` GROUP BY call_id, operation_id, kind_, participant_id
			HAVING at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
		) AS n
		LEFT JOIN (
			SELECT call_id, argMaxIf(meeting_id, ` + newest + `, meeting_id != '') AS meeting, max(ended_at) IS NOT NULL OR max(source_kind) != 'media' AS over
			FROM calls WHERE ` + calls + ` GROUP BY call_id
		) AS c ON c.call_id = n.call_id
		LEFT JOIN (
			SELECT call_id, participant_id, toInt8(ifNull(argMax(CAST(identity AS Nullable(Int8)), ` + newest + `), 0)) AS identity_,
				` + knownText("user_id") + `, ` + knownText("display_name") + `
			FROM participants WHERE ` + calls + ` GROUP BY call_id, participant_id
		) AS p ON p.call_id = n.call_id AND p.participant_id = n.participant_id
		WHERE (c.over = 1 OR p.identity_ IN (2, 3)) AND ({meeting:String} = '' OR c.meeting = {meeting:String})
		ORDER BY n.at, n.call_id, n.participant_id, n.operation_id, n.kind_`
	meeting := ""
	if f.Meeting != uuid.Nil {
		meeting = f.Meeting.String()
	}
	var n Notice
	return s.scan(ctx, "list notices", sql, func(rows driver.Rows) error {
		var identity int8
		n = Notice{}
		err := rows.Scan(&n.CallID, &n.MeetingID, &n.NoticeID, &n.Kind, &n.ParticipantID, &identity, &n.UserID, &n.DisplayName, &n.SentAt, &n.AcknowledgedAt)
		if err != nil {
			return err
		}
		n.Identity, n.SentAt, n.AcknowledgedAt = Identity(identity), utc(n.SentAt), utc(n.AcknowledgedAt)
		if n.Identity != OrgUser {
			n.UserID, n.DisplayName = "", ""
		}
		return do(&n)
	}, clickhouse.Named("org", f.Org), clickhouse.Named("from", micros(f.From)), clickhouse.Named("to", micros(f.To)), clickhouse.Named("meeting", meeting))
}
