-- +goose Up
-- How much guests of resources were in calls, by stay and day: counted, without ids. A stay that goes over midnight has a row for each day.
CREATE TABLE IF NOT EXISTS {{inLog "usage"}} (
    resource_id     UUID CODEC(ZSTD(1)),
    org             LowCardinality(String),
    day             Date CODEC(Delta, ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    -- The day on which the stay began counts it.
    began           Bool,
    stay_ms         UInt64 CODEC(T64, ZSTD(1)),
    messages        UInt32 CODEC(T64, ZSTD(1))
) ENGINE = {{engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(day)
ORDER BY (resource_id, day, org, call_id, participant_id)
TTL day + INTERVAL 400 DAY
SETTINGS {{dedup}};
