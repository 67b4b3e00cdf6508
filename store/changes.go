package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Change is one version of a control row, with the value before it.
type Change struct {
	Control
	// Before is the value of the version before; nil where there was none, or it was a deletion.
	Before json.RawMessage
}

// EachChange calls do for each version of an organisation's control rows of some kinds that was written in a time, in order of time, kind, id and
// version. The row of the organisation itself is among them if its kind is.
func (s *Store) EachChange(ctx context.Context, org string, kinds []string, from, to time.Time, do func(*Change) error) error {
	const sql = `SELECT ` + controlColumns + `, before FROM (
			SELECT *, if(version = lagInFrame(version) OVER versions + 1 AND NOT lagInFrame(deleted) OVER versions, lagInFrame(value) OVER versions, '') AS before FROM (
				SELECT * FROM control
				WHERE kind IN {kinds:Array(String)} AND (org = {org:String} OR (kind = 'organization' AND org = '' AND id = {org:String}))
				ORDER BY version, inserted_at, write_id LIMIT 1 BY kind, org, id, version
			) WINDOW versions AS (PARTITION BY kind, org, id ORDER BY version ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
		) WHERE at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
		ORDER BY at, kind, id, version`
	return s.scan(s.controlContext(ctx, ""), "list changes", sql, func(rows driver.Rows) error {
		var c Change
		var value, before string
		if err := rows.Scan(&c.Kind, &c.Org, &c.ID, &c.Version, &value, &c.Deleted, &c.Author, &c.At, &c.WriteID, &before); err != nil {
			return err
		}
		c.At = c.At.UTC()
		if value != "" {
			c.Value = json.RawMessage(value)
		}
		if before != "" {
			c.Before = json.RawMessage(before)
		}
		return do(&c)
	}, clickhouse.Named("kinds", kinds), clickhouse.Named("org", org), clickhouse.Named("from", micros(from)), clickhouse.Named("to", micros(to)))
}
