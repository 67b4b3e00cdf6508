-- +goose Up
-- What exactly a batch is about to purge, written before its intent and never changed; rows that take a thing out again are added. Gone some days after.
CREATE TABLE IF NOT EXISTS {{local "purge_sets"}} (
    batch_id        UUID,
    copy_id         FixedString(32),
    -- 0: it is in. 1: it was held when it was to be deleted, in the attempt of that epoch. 2: it came back after it was gone, and has its evidence.
    taken_out       UInt8,
    epoch           UInt64,
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    item_id         UUID CODEC(ZSTD(1)),
    holder_id       UUID CODEC(ZSTD(1)),
    resource_id     UUID CODEC(ZSTD(1)),
    revision_of     UUID CODEC(ZSTD(1)),
    revised_at      DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    due_at          Nullable(DateTime64(6, 'UTC')),
    hidden_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- The moment from which lateness counts.
    late_from       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    why             Enum8('due' = 1, 'superseded' = 2, 'edited' = 3, 'retracted' = 4, 'tombstoned' = 5),
    born            Bool,
    rule_id         LowCardinality(String),
    rule_version    UInt64,
    reason          LowCardinality(String),
    revision        LowCardinality(String),
    -- The same in all rows of a batch.
    begun           DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toYYYYMMDD(begun)
ORDER BY (batch_id, copy_id)
SETTINGS {{dedup}}, {{shortLived}};
