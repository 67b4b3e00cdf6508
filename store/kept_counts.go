package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// KeptCount is how many things of a key were sent on a day.
type KeptCount struct {
	KeptKey
	// Day in UTC. Early: at a time of day not after the one that was asked about.
	Day    time.Time
	Early  bool
	Things uint64
}

// hiddenLately is for how long what is hidden may still wait to be purged, if no hold keeps it.
const hiddenLately = "2 DAY"

// EachKeptCount calls do for the things of an organisation, by key and day of sending. Only what can be read counts: of copies the newest of each guest, and
// nothing that is hidden. With all, everything whose bytes are there counts. now is whose time of day Early is about.
func (r *Reader) EachKeptCount(ctx context.Context, org string, now time.Time, all bool, do func(KeptCount) error) error {
	where := ""
	if !all {
		where = `
			AND revision_of = ` + noUUID + `
			AND (class != 'copy' OR (meeting_id, call_id, holder_id, item_id) IN (
				SELECT meeting_id, call_id, holder_id, argMax(message_id, sent_at) FROM copy_heads WHERE org = {org:String}
				GROUP BY meeting_id, call_id, holder_id
			))
			AND (class, meeting_id, call_id, item_id, holder_id) NOT IN (
				SELECT class, meeting_id, call_id, item_id, holder_id FROM hidden
				WHERE org = {org:String} AND (inserted_at >= now64(6) - INTERVAL ` + hiddenLately + ` OR meeting_id IN (
					SELECT meeting_id FROM retention_decisions WHERE org = {org:String} AND (held OR released_at IS NOT NULL)
				))
			)`
	}
	c := KeptCount{KeptKey: KeptKey{Org: org}}
	return r.query(ctx, "count kept things", `
		SELECT meeting_id, toString(class), resource_id, toDate(sent_at) AS day,
			toUnixTimestamp64Micro(sent_at) % 86400000000 <= {of_day:Int64} AS early, count()
		FROM retained WHERE org = {org:String}`+where+`
		GROUP BY meeting_id, class, resource_id, day, early`,
		[]any{clickhouse.Named("org", org), clickhouse.Named("of_day", fmt.Sprint(now.UnixMicro()%(24*time.Hour).Microseconds()))},
		func(rows driver.Rows) error {
			if err := rows.Scan(&c.MeetingID, &c.Class, &c.ResourceID, &c.Day, &c.Early, &c.Things); err != nil {
				return err
			}
			return do(c)
		})
}

// KeptMeetings lists the meetings of an organisation that anything is kept of, in no order; the zero id stands for what belongs to none.
func (r *Reader) KeptMeetings(ctx context.Context, org string) ([]uuid.UUID, error) {
	var out []uuid.UUID
	err := r.query(ctx, "list meetings that have something", "SELECT DISTINCT meeting_id FROM retained WHERE org = {org:String}",
		[]any{clickhouse.Named("org", org)}, func(rows driver.Rows) error {
			var id uuid.UUID
			err := rows.Scan(&id)
			out = append(out, id)
			return err
		})
	return out, err
}
