package store

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Conn lets tests run statements of their own.
func (s *Store) Conn() driver.Conn { return s.conn }

// Local is local.
func (s *Store) Local(table string) string { return s.local(table) }

// EachShard is eachShard.
func (s *Store) EachShard(ctx context.Context, do func(ctx context.Context, conn driver.Conn) error) error {
	return s.eachShard(ctx, do)
}

// WithToken gives an insert a deduplication token.
func WithToken(ctx context.Context, token string) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
}

// BackupStatement is backupStatement.
func (c Config) BackupStatement(part string, head ...string) string {
	return c.backupStatement(part, head)
}
