-- +goose Up
-- Summaries of streams over their life. A stream restated by its source has several rows; the highest revision that knows
-- a column wins. NULL means not known, which is not zero.
CREATE TABLE IF NOT EXISTS {{local "streams"}} (
    org                     LowCardinality(String),
    region                  LowCardinality(String),
    call_id                 String CODEC(ZSTD(1)),
    participant_id          UUID,
    stream_id               UUID,
    source_kind             Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    revision                UInt32,
    observed_at             DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    observed_by             LowCardinality(String),
    direction               Enum8('unknown' = 0, 'inbound' = 1, 'outbound' = 2),
    media                   Enum8('unknown' = 0, 'audio' = 1, 'video' = 2, 'screen' = 3),
    ssrc                    UInt32,
    codec                   LowCardinality(String),
    started_at              Nullable(DateTime64(6, 'UTC')),
    ended_at                Nullable(DateTime64(6, 'UTC')),
    packets                 Nullable(UInt64),
    packets_lost            Nullable(Int64),
    bytes                   Nullable(UInt64),
    loss_ratio              Nullable(Float64),
    loss_ratio_max          Nullable(Float64),
    jitter_ms_avg           Nullable(Float64),
    jitter_ms_max           Nullable(Float64),
    rtt_ms_avg              Nullable(Float64),
    rtt_ms_max              Nullable(Float64),
    jitter_buffer_ms_avg    Nullable(Float64),
    jitter_buffer_ms_max    Nullable(Float64),
    healed_ratio            Nullable(Float64),
    healed_ratio_max        Nullable(Float64),
    frame_rate_avg          Nullable(Float64),
    height_avg              Nullable(Float64),
    freeze_ms_per_min       Nullable(Float64),
    bitrate_avg             Nullable(Float64),
    bitrate_max             Nullable(Float64),
    local_candidate_type    LowCardinality(String),
    remote_candidate_type   LowCardinality(String),
    transport               LowCardinality(String),
    -- Where the row came from; unique per row and the key of the check after a replay.
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    -- Serves the check after a replay, which asks for a range of offsets, always a recent one.
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toYYYYMM(observed_at)
ORDER BY (org, call_id, participant_id, stream_id, observed_at)
SETTINGS {{dedup}};
