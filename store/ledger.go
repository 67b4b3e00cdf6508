package store

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// PutLeaf hands a leaf to the region's ledger: canonical JSON under an id by which it is appended once, however often it is put.
func (s *Store) PutLeaf(ctx context.Context, id string, leaf []byte) error {
	set := settings()
	set["insert_deduplication_token"] = "leaf:" + id
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(set))
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO ledger_outbox (id, leaf)")
	if err != nil {
		return wrap("put leaf", err)
	}
	if err := batch.Append(id, string(leaf)); err != nil {
		_ = batch.Abort()
		return fmt.Errorf("put leaf: %w", err)
	}
	return wrap("put leaf", batch.Send())
}
