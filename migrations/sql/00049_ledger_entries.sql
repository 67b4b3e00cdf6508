-- +goose Up
-- Where leaves are in the region's ledger, once a published checkpoint covers them.
CREATE TABLE IF NOT EXISTS {{whole "ledger_entries"}} (
    id              String CODEC(ZSTD(1)),
    log_index       UInt64,
    leaf_hash       FixedString(32),
    published_at    DateTime64(6, 'UTC'),
    INDEX indices log_index TYPE minmax GRANULARITY 1
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY id
SETTINGS {{dedup}};
