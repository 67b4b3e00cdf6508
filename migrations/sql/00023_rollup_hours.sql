-- +goose Up
-- What the roll-ups of each hour were built from: the newest row of an hour counts. One row per rebuild, merged away but for
-- the last.
CREATE TABLE IF NOT EXISTS {{whole "rollup_hours"}} (
    hour            DateTime('UTC'),
    -- Samples of the hour that ingest_batches knew of just before the base rows were read.
    batch_samples   UInt64,
    -- Samples that the roll-ups hold.
    samples         UInt64,
    rebuilt_at      DateTime64(6, 'UTC')
) ENGINE = {{engine "ReplacingMergeTree" "rebuilt_at"}}
ORDER BY hour
SETTINGS {{dedup}};
