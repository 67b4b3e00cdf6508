-- +goose Up
-- One row per stored batch and hour of its samples: which hours of the roll-ups are out of date, and by how much.
CREATE TABLE IF NOT EXISTS ingest_batches (
    topic           LowCardinality(String),
    partition       Int32,
    first_offset    Int64,
    last_offset     Int64,
    hour            DateTime('UTC'),
    samples         UInt64,
    inserted_at     DateTime('UTC') DEFAULT now()
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (hour, topic, partition, first_offset)
SETTINGS {{dedup}};
