package store

import (
	"context"
	"errors"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ErrCrash is what statements meet after the crash of RebuildHourUntil.
var ErrCrash = errors.New("crashed")

// RebuildHourUntil is RebuildHour of a process that dies after n statements: nothing reaches the server any more, its clean-up
// neither.
func RebuildHourUntil(ctx context.Context, s *Store, hour time.Time, n int) error {
	dying := &Store{cfg: s.cfg, conn: &dyingConn{Conn: s.conn, left: n}}
	return dying.RebuildHour(ctx, hour)
}

// dyingConn is a real connection until its process dies.
type dyingConn struct {
	driver.Conn
	left int
}

func (c *dyingConn) Exec(ctx context.Context, query string, args ...any) error {
	if c.left == 0 {
		return ErrCrash
	}
	c.left--
	return c.Conn.Exec(ctx, query, args...)
}
