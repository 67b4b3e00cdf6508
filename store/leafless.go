package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ControlsWithoutLeaf lists the versions of rows of a kind, deletions too, that were written so long ago and of which no leaf is on its way or in the
// ledger, oldest first. The leaf of a version has the id "<prefix>:<id>:<version>".
func (s *Store) ControlsWithoutLeaf(ctx context.Context, kind, prefix string, ago time.Duration) ([]Control, error) {
	return s.queryControl(ctx, "look for "+kind+" without leaf", `
		SELECT `+controlColumns+` FROM (
			SELECT * FROM control WHERE kind = {kind:String} ORDER BY org, id, version, inserted_at, write_id LIMIT 1 BY org, id, version
		) WHERE inserted_at <= now64(6, 'UTC') - toIntervalMicrosecond({ago:Int64}) AND concat({prefix:String}, ':', id, ':', toString(version)) NOT IN (
			SELECT id FROM ledger_outbox WHERE startsWith(id, {prefix:String}) UNION ALL SELECT id FROM ledger_entries WHERE startsWith(id, {prefix:String})
		) ORDER BY at, id, version`,
		clickhouse.Named("kind", kind), clickhouse.Named("prefix", prefix), clickhouse.Named("ago", fmt.Sprint(ago.Microseconds())))
}
