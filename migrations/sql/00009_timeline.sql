-- +goose Up
-- What happened in a call: user-facing diagnostics, operations, state changes, surveys, recordings, chat acts (never text),
-- notices, decisions. attributes has a closed set of keys and values free of personal data.
CREATE TABLE IF NOT EXISTS {{local "timeline"}} (
    org             LowCardinality(String),
    region          LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    -- All zero for what no participant did.
    participant_id  UUID CODEC(ZSTD(1)),
    observed_at     DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    source_kind     Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    revision        UInt32,
    lane            Enum8('unknown' = 0, 'call' = 1, 'audio' = 2, 'video' = 3, 'screen' = 4, 'network' = 5),
    kind            Enum8('diagnostic' = 1, 'operation' = 2, 'survey' = 3, 'recording' = 4, 'chat' = 5, 'notice' = 6, 'decision' = 7),
    name            LowCardinality(String),
    value           LowCardinality(String),
    -- Ties the end of a range to its start; all zero for none.
    operation_id    UUID CODEC(ZSTD(1)),
    result          LowCardinality(String),
    result_code     Int32 CODEC(T64, ZSTD(1)),
    duration_ms     Int64 CODEC(T64, ZSTD(1)),
    attributes      Map(LowCardinality(String), String) CODEC(ZSTD(1)),
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
