-- +goose Up
-- Records about guests of resources, as their owners get them.
CREATE TABLE IF NOT EXISTS {{inLog "records"}} (
    resource_id     UUID CODEC(ZSTD(1)),
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    category        LowCardinality(String),
    record_id       UUID CODEC(ZSTD(1)),
    -- When the guest's records were written: the same for all of them.
    at              DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- JSON of the record, with the guest's id.
    body            String CODEC(ZSTD(3)),
    expires_at      DateTime('UTC') CODEC(Delta, ZSTD(1))
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(expires_at)
ORDER BY (resource_id, category, at, record_id)
TTL toStartOfDay(expires_at) + INTERVAL 1 DAY
SETTINGS {{dedup}}, {{shortLived}}, ttl_only_drop_parts = 1, merge_with_ttl_timeout = 600;
