-- +goose Up
-- What came to be kept, and which leaf of the ledger says so: what is in here, and neither kept any more nor in evidence, is unknown. Written before a
-- thing may be purged. One row per copy_id; should two be written, the first counts.
CREATE TABLE IF NOT EXISTS {{local "stored_things"}} (
    copy_id         FixedString(32),
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    resource_id     UUID CODEC(ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- The batch whose leaf it is in, and its place there: by order of copy_id.
    batch_id        UUID CODEC(ZSTD(1)),
    position        UInt32 CODEC(T64, ZSTD(1)),
    written_at      DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX copy copy_id TYPE bloom_filter GRANULARITY 1,
    INDEX batch batch_id TYPE bloom_filter GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toYYYYMM(sent_at)
ORDER BY (org, sent_at, copy_id)
SETTINGS {{dedup}};
