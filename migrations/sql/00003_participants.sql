-- +goose Up
-- Facts about participants of calls. user_id and display_name are empty for everybody but org users: ingest drops a
-- guest's before the row exists, and the label is resolved when the row is read.
CREATE TABLE IF NOT EXISTS {{local "participants"}} (
    org             LowCardinality(String),
    region          LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    participant_id  UUID,
    source_kind     Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    revision        UInt32,
    observed_at     DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- What is proven of the participant; NULL in rows that do not speak of it.
    identity        Nullable(Enum8('guest' = 1, 'org_user' = 2, 'service' = 3)),
    user_id         String CODEC(ZSTD(1)),
    display_name    String CODEC(ZSTD(1)),
    endpoint_type   LowCardinality(String),
    client_family   LowCardinality(String),
    client_version  LowCardinality(String),
    os_family       LowCardinality(String),
    joined_at       Nullable(DateTime64(6, 'UTC')),
    left_at         Nullable(DateTime64(6, 'UTC')),
    end_code        LowCardinality(String),
    end_sub_code    LowCardinality(String),
    result_category LowCardinality(String),
    -- Where the row came from; unique per row and the key of the check after a replay.
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    -- Serves the check after a replay, which asks for a range of offsets, always a recent one.
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toYYYYMM(observed_at)
ORDER BY (org, call_id, participant_id, observed_at)
SETTINGS {{dedup}};
