-- +goose Up
-- What each stream did in each interval: nearly all rows of the store. ORDER BY serves the drill-down of a call;
-- neighbours then are of one stream, so counters are close (T64), times rise evenly (Delta) and gauges hardly move (Gorilla).
-- Counters are the interval's own and never NULL; gauges are NULL where not known.
CREATE TABLE IF NOT EXISTS {{local "samples"}} (
    org                     LowCardinality(String),
    region                  LowCardinality(String),
    call_id                 String CODEC(ZSTD(1)),
    participant_id          UUID CODEC(ZSTD(1)),
    stream_id               UUID CODEC(ZSTD(1)),
    observed_at             DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    interval_ms             UInt32 CODEC(T64, ZSTD(1)),
    source_kind             Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    direction               Enum8('unknown' = 0, 'inbound' = 1, 'outbound' = 2),
    media                   Enum8('unknown' = 0, 'audio' = 1, 'video' = 2, 'screen' = 3),
    ssrc                    UInt32 CODEC(ZSTD(1)),
    codec                   LowCardinality(String),
    packets                 UInt64 CODEC(T64, ZSTD(1)),
    packets_lost            Int64 CODEC(T64, ZSTD(1)),
    bytes                   UInt64 CODEC(T64, ZSTD(1)),
    packets_discarded       UInt64 CODEC(T64, ZSTD(1)),
    retransmitted_packets   UInt64 CODEC(T64, ZSTD(1)),
    frames                  UInt64 CODEC(T64, ZSTD(1)),
    frames_dropped          UInt64 CODEC(T64, ZSTD(1)),
    freezes                 UInt64 CODEC(T64, ZSTD(1)),
    nacks                   UInt32 CODEC(T64, ZSTD(1)),
    plis                    UInt32 CODEC(T64, ZSTD(1)),
    firs                    UInt32 CODEC(T64, ZSTD(1)),
    jitter_ms               Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    rtt_ms                  Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    jitter_buffer_ms        Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    healed_ratio            Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    frame_rate              Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    frame_height            Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    freeze_ms               Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    bitrate_bps             Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    available_bitrate_bps   Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    loss_ratio              Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    -- Where the row came from; unique per row and the key of the check after a replay.
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    -- A month's part is ordered by call, and a call is short: the range of times of 8,192 rows is narrow. Serves the rebuild
    -- of an hour's roll-ups, and questions about a time span.
    INDEX observed_at_range observed_at TYPE minmax GRANULARITY 1,
    -- Serves the check after a replay, which asks for a range of offsets, always a recent one.
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toYYYYMM(observed_at)
ORDER BY (org, call_id, participant_id, stream_id, observed_at)
SETTINGS {{dedup}};
