-- +goose Up
-- What must never come back, whatever is replayed, redelivered or restored: random ids only. Kept for good.
CREATE TABLE IF NOT EXISTS {{local "tombstones"}} (
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    item_id         UUID CODEC(ZSTD(1)),
    -- Of a copy: the guest whose copy must not come back; another's of the same message may still be kept. All zero otherwise.
    holder_id       UUID CODEC(ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    buried_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (class, org, call_id, item_id, holder_id)
SETTINGS {{dedup}};
