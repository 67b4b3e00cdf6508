-- +goose Up
-- Diagnostic records of calls that have ended, as they are logged: each record is here before it is produced to Kafka, and is produced as it is here.
-- All records of a call are one insert. A guest has no identifier in them.
CREATE TABLE IF NOT EXISTS {{local "call_logs"}} (
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    category        LowCardinality(String),
    record_id       UUID CODEC(ZSTD(1)),
    -- Place among the records of its call.
    seq             UInt32 CODEC(T64, ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    -- When the records of the call were written: the same for all of them.
    at              DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- JSON of the record.
    body            String CODEC(ZSTD(3)),
    -- Who wrote them, of several processes that may.
    writer          UUID CODEC(ZSTD(1)),
    expires_at      DateTime('UTC') CODEC(Delta, ZSTD(1)),
    INDEX calls call_id TYPE bloom_filter GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toYYYYMM(at)
ORDER BY (org, category, at, record_id)
TTL expires_at
SETTINGS {{dedup}};
