-- +goose Up
-- Calls whose records are in Kafka: done with.
CREATE TABLE IF NOT EXISTS {{local "call_log_marks"}} (
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    at              DateTime('UTC') DEFAULT now('UTC') CODEC(Delta, ZSTD(1)),
    records         UInt32
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (org, call_id)
TTL at + INTERVAL 40 DAY
SETTINGS {{dedup}};
