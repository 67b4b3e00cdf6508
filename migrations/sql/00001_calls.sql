-- +goose Up
-- Facts about calls, one row per event that speaks of one. Never updated: a reader resolves each column by the
-- highest revision that knows it (argMax skips NULL). Few rows, read by call or by month.
CREATE TABLE IF NOT EXISTS {{local "calls"}} (
    org             LowCardinality(String),
    region          LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    source_kind     Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    revision        UInt32,
    observed_at     DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    kind            Enum8('unknown' = 0, 'group' = 1, 'p2p' = 2, 'meeting' = 3),
    meeting_id      String CODEC(ZSTD(1)),
    started_at      Nullable(DateTime64(6, 'UTC')),
    ended_at        Nullable(DateTime64(6, 'UTC')),
    end_reason      LowCardinality(String),
    -- Where the row came from; unique per row and the key of the check after a replay.
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    -- Serves the check after a replay, which asks for a range of offsets, always a recent one.
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toYYYYMM(observed_at)
ORDER BY (org, call_id, observed_at)
SETTINGS {{dedup}};
