-- +goose Up
-- What summaries were made, and from how much of call_changes. Each place that a call's summaries ever had in call_summaries is noted here before
-- they are written there (done is false) and again after it (done is true): so of two who write, and of one that was killed, nothing stays that
-- nobody knows of. See store/summaries.go.
CREATE TABLE IF NOT EXISTS {{local "call_builds"}} (
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    at              DateTime64(6, 'UTC'),
    done            Bool,
    -- When it was begun, in microseconds by the server's clock; rises with each build of a call.
    version         UInt64 CODEC(ZSTD(1)),
    -- Of call_changes, read before the call's rows were.
    batches         UInt64 CODEC(T64, ZSTD(1)),
    turns           UInt64 CODEC(T64, ZSTD(1)),
    -- Stands for the thresholds and all else that summaries are made with.
    digest          UInt64,
    -- The call was still running.
    running         Bool,
    -- When to look again though nothing changed; the epoch for never.
    due_at          DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    -- How many places of the call were known.
    places          UInt32 CODEC(T64, ZSTD(1)),
    INDEX due due_at TYPE minmax GRANULARITY 1
) ENGINE = {{engine "ReplacingMergeTree" "version"}}
ORDER BY (org, call_id, at, done)
SETTINGS index_granularity = 1024;
