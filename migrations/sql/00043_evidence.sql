-- +goose Up
-- What is gone, thing by thing, as reports show it (retention/proof.Row). One row per copy_id; should two be written, the first counts.
CREATE TABLE IF NOT EXISTS {{local "evidence"}} (
    -- Keyed hash of class, region, message and guest.
    copy_id         FixedString(32),
    nonce           FixedString(16),
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    resource_id     UUID CODEC(ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    due_at          Nullable(DateTime64(6, 'UTC')),
    hidden_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    purged_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    why             Enum8('due' = 1, 'superseded' = 2, 'edited' = 3, 'retracted' = 4, 'tombstoned' = 5),
    born            Bool,
    held            Bool,
    lateness_ms     Int64 CODEC(T64, ZSTD(1)),
    attempts        UInt32,
    rule_id         LowCardinality(String),
    rule_version    UInt64,
    reason          LowCardinality(String),
    revision        LowCardinality(String),
    broker_expiry_at Nullable(DateTime64(6, 'UTC')),
    -- The batch whose leaf proves it.
    batch_id        UUID CODEC(ZSTD(1)),
    written_at      DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX copy copy_id TYPE bloom_filter GRANULARITY 1,
    INDEX batch batch_id TYPE bloom_filter GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toYYYYMM(sent_at)
ORDER BY (org, sent_at, copy_id)
SETTINGS {{dedup}};
