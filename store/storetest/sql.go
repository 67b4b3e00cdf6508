package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/anteroom/anteroom/store"
)

// SQL runs statements of a test's own, for tests outside of package store.
type SQL struct {
	t    testing.TB
	conn driver.Conn
}

// NewSQL connects to the database of a configuration, until the test ends.
func NewSQL(t testing.TB, cfg store.Config) *SQL {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: cfg.Addresses, Auth: clickhouse.Auth{Database: cfg.Database, Username: cfg.Username, Password: cfg.Password},
	})
	if err != nil {
		t.Fatalf("connect to the test's database: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &SQL{t, conn}
}

// Exec runs a statement.
func (s *SQL) Exec(query string, args ...any) {
	s.t.Helper()
	if err := s.Try(query, args...); err != nil {
		s.t.Fatal(err)
	}
}

// Try runs a statement that may fail.
func (s *SQL) Try(query string, args ...any) error {
	if err := s.conn.Exec(s.t.Context(), query, args...); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

// TryAfter is Try for a test's clean-up, when its context has ended.
func (s *SQL) TryAfter(query string) error {
	if err := s.conn.Exec(context.Background(), query); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

// Texts are the values of a query with one column of texts.
func (s *SQL) Texts(query string, args ...any) []string {
	s.t.Helper()
	rows, err := s.conn.Query(s.t.Context(), query, args...)
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			s.t.Fatalf("%s: %v", query, err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return out
}

// Count is the answer of a query for one number.
func (s *SQL) Count(query string, args ...any) uint64 {
	s.t.Helper()
	var n uint64
	if err := s.conn.QueryRow(s.t.Context(), query, args...).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return n
}
