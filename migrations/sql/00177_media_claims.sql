-- +goose Up
-- What one media node at most may have: a meeting (by epoch: who takes over from a lost node writes the next), the use of a guest's token; and what is gone
-- for good on all of them. All who claim one thing insert under one deduplication token, so the first has it (see store/claims.go).
CREATE TABLE IF NOT EXISTS {{whole "media_claims"}} (
    kind            LowCardinality(String),
    -- A meeting's id, a hash of a token, a random id of a participant or a call.
    id              String CODEC(ZSTD(1)),
    -- 0 for what changes hands never.
    epoch           UInt64,
    owner           UUID,
    -- When the server took the row. Should two rows ever claim one thing, the earlier has it.
    at              DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    -- From then on nobody needs it.
    until           DateTime('UTC')
) ENGINE = {{engine "MergeTree"}}
ORDER BY (kind, id, epoch)
TTL until
SETTINGS {{dedup}};
