-- +goose Up
-- Samples by hour, kept for as long as nobody deletes them. A partition is a day (UTC), 365 a year: hours would be too many to
-- keep, so replacing one hour copies the others of its day along (see store/rollup.go).
CREATE TABLE IF NOT EXISTS {{local "rollup_hour"}} (
    org                     LowCardinality(String),
    region                  LowCardinality(String),
    source_kind             Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    media                   Enum8('unknown' = 0, 'audio' = 1, 'video' = 2, 'screen' = 3),
    direction               Enum8('unknown' = 0, 'inbound' = 1, 'outbound' = 2),
    hour                    DateTime('UTC') CODEC(Delta, ZSTD(1)),
    -- When the row was built.
    rebuilt_at              SimpleAggregateFunction(max, DateTime('UTC')) CODEC(ZSTD(1)),
    -- Rows of samples, and the time they cover.
    samples                 SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    interval_ms             SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets                 SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets_lost            SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
    bytes                   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets_discarded       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    retransmitted_packets   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    frames                  SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    frames_dropped          SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    freezes                 SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    nacks                   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    plis                    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    firs                    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    -- Distinct calls and streams, within about 1.6 %.
    calls                   AggregateFunction(uniqCombined(12), String) CODEC(ZSTD(1)),
    streams                 AggregateFunction(uniqCombined(12), UUID) CODEC(ZSTD(1)),
    -- Distributions over samples, each sample counting once; rows where the gauge is not known don't count.
    jitter_ms               AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    rtt_ms                  AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    -- The source's own ratio, else lost / (received + lost) of the interval.
    loss_ratio              AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    jitter_buffer_ms        AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    healed_ratio            AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    frame_rate              AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    bitrate_bps             AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1))
) ENGINE = {{engine "AggregatingMergeTree"}}
PARTITION BY toYYYYMMDD(hour)
ORDER BY (org, hour, media, direction, source_kind, region);
