-- +goose Up
-- One row per stored batch and hour of its samples: which hours of the roll-ups are out of date, and by how much. A row is
-- written after the samples are stored and before the offset is committed, perhaps again on a replay: read with FINAL.
-- Two rows a second and partition at most; they are let go two years after they were written, and what is gone no longer makes
-- an hour dirty. Not partitioned: the hours of one batch may be years apart. The index serves the question which hours got
-- rows lately.
CREATE TABLE IF NOT EXISTS {{whole "ingest_batches"}} (
    topic           LowCardinality(String),
    partition       Int32,
    first_offset    Int64 CODEC(Delta, ZSTD(1)),
    last_offset     Int64 CODEC(Delta, ZSTD(1)),
    hour            DateTime('UTC') CODEC(Delta, ZSTD(1)),
    samples         UInt64 CODEC(T64, ZSTD(1)),
    inserted_at     DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX inserted_at_range inserted_at TYPE minmax GRANULARITY 1
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (hour, topic, partition, first_offset)
TTL inserted_at + INTERVAL 2 YEAR
SETTINGS {{dedup}};
