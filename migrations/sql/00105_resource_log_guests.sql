-- +goose Up
-- Which guest of a resource was which participant of a call. The only table with ids of guests. Parts go as a whole when all in them has expired.
CREATE TABLE IF NOT EXISTS {{inLog "guests"}} (
    resource_id     UUID CODEC(ZSTD(1)),
    -- Organisation that hosted the call.
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    meeting_id      UUID CODEC(ZSTD(1)),
    -- The subject of the guest's token; empty for guests of the shipped join page, which have none.
    user_id         String CODEC(ZSTD(1)),
    joined_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    expires_at      DateTime('UTC') CODEC(Delta, ZSTD(1)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1
) ENGINE = {{engine "ReplacingMergeTree"}}
PARTITION BY toDate(expires_at)
ORDER BY (resource_id, joined_at, org, call_id, participant_id)
TTL toStartOfDay(expires_at) + INTERVAL 1 DAY
SETTINGS {{dedup}}, {{shortLived}}, ttl_only_drop_parts = 1, merge_with_ttl_timeout = 600;
