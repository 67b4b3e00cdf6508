-- +goose Up
-- When leaves of the region's ledger were published.
CREATE VIEW IF NOT EXISTS analytics_proofs
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT log_index, published_at FROM ledger_entries FINAL;
