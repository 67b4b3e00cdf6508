-- +goose Up
-- One row per call and profile, with its streams and participants as arrays: a call is replaced as a whole, and no stream of an earlier judgement
-- stays beside. The key is what lists and figures ask for: an organisation, a profile, a span of time. A call whose start is found to be another one
-- has its row elsewhere then, and the row at the old place is replaced by one that is gone. Read it with FINAL and NOT gone.
--
-- While a meeting runs nothing of its guests is in here.
CREATE TABLE IF NOT EXISTS {{local "call_summaries"}} (
    org             LowCardinality(String),
    profile         LowCardinality(String),
    -- When the call began or, where no source says, the earliest instant anything of it is known.
    at              DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    -- That of call_builds.
    version         UInt64 CODEC(Delta, ZSTD(1)),
    gone            Bool,
    region          LowCardinality(String),
    source          Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    kind            Enum8('unknown' = 0, 'group' = 1, 'p2p' = 2, 'meeting' = 3),
    meeting_id      String CODEC(ZSTD(1)),
    started_at      Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
    ended_at        Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
    duration_ms     Nullable(Int64) CODEC(ZSTD(1)),
    end_reason      LowCardinality(String),
    state           Enum8('running' = 1, 'partial' = 2, 'complete' = 3),
    recorded        Bool,
    -- Participants, how many of them are anonymous, and who: user_id and label of org users only.
    participants    UInt32 CODEC(T64, ZSTD(1)),
    anonymous       UInt32 CODEC(T64, ZSTD(1)),
    people          Nested(
        participant_id  UUID,
        user_id         String,
        label           String,
        client          LowCardinality(String),
        client_version  LowCardinality(String),
        os              LowCardinality(String),
        network         LowCardinality(String),
        site            LowCardinality(String)
    ),
    -- Participants that ended unexpectedly before any media of theirs was seen, and after.
    setup_failures  UInt32 CODEC(T64, ZSTD(1)),
    drops           UInt32 CODEC(T64, ZSTD(1)),
    rating          Enum8('unknown' = 0, 'good' = 1, 'average' = 2, 'poor' = 3),
    rating_score    Nullable(Float64) CODEC(ZSTD(1)),
    verdict         Enum8('unknown' = 0, 'good' = 1, 'poor' = 2),
    -- Streams that count, by verdict.
    good            UInt32 CODEC(T64, ZSTD(1)),
    poor            UInt32 CODEC(T64, ZSTD(1)),
    unknown         UInt32 CODEC(T64, ZSTD(1)),
    issues          UInt32 CODEC(T64, ZSTD(1)),
    bad_operations  UInt32 CODEC(T64, ZSTD(1)),
    unexpected_ends UInt32 CODEC(T64, ZSTD(1)),
    -- Metrics and network diagnostics that make the call poor, and the likely sides of its poor streams.
    reasons         Array(LowCardinality(String)) CODEC(ZSTD(1)),
    sides           Array(LowCardinality(String)) CODEC(ZSTD(1)),
    -- The one reason that is shown first, and its side.
    top_metric      LowCardinality(String),
    side            LowCardinality(String),
    -- JSON: reasons with values, thresholds and sources, and what the issues were.
    judgement       String CODEC(ZSTD(3)),
    streams         Nested(
        stream_id       UUID,
        participant_id  UUID,
        media           Enum8('unknown' = 0, 'audio' = 1, 'video' = 2, 'screen' = 3),
        direction       Enum8('unknown' = 0, 'inbound' = 1, 'outbound' = 2),
        verdict         Enum8('unknown' = 0, 'good' = 1, 'poor' = 2),
        counted         Bool,
        reason          LowCardinality(String),
        side            LowCardinality(String),
        client          LowCardinality(String),
        client_version  LowCardinality(String),
        site            LowCardinality(String),
        loss_ratio      Nullable(Float32),
        jitter_ms       Nullable(Float32),
        rtt_ms          Nullable(Float32),
        bitrate_bps     Nullable(Float32)
    )
) ENGINE = {{engine "ReplacingMergeTree" "version"}}
PARTITION BY toYYYYMM(at)
ORDER BY (org, profile, at, call_id);
