-- +goose Up
-- Messages that their author deleted. What was kept of them is gone at once, and comes back by no replay.
CREATE TABLE IF NOT EXISTS {{local "retractions"}} (
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    message_id      UUID CODEC(ZSTD(1)),
    retracted_at    DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (org, meeting_id, call_id, message_id, retracted_at)
SETTINGS {{dedup}};
