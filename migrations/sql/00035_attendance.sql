-- +goose Up
-- Which users of the organisation were in a meeting: their retention policies and holds are the meeting's.
CREATE TABLE IF NOT EXISTS {{whole "attendance"}} (
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    user_id         String CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    joined_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- By the server's clock: meetings with new rows are decided on again.
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (org, meeting_id, user_id, call_id)
SETTINGS {{dedup}};
