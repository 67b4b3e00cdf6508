-- +goose Up
-- How far each source has been ingested, per partition: what is not above its mark is a doubled record. A row is written after
-- the rows of its batch are stored and before the offset is committed. It carries the mark before the batch as well, so that
-- replaying the batch that wrote it decides exactly as the first time.
CREATE TABLE IF NOT EXISTS {{whole "source_marks"}} (
    source              String CODEC(ZSTD(1)),
    topic               LowCardinality(String),
    partition           Int32,
    -- Highest sequence stored, and the last offset of the batch that stored it.
    sequence            UInt64,
    last_offset         Int64,
    -- The mark as it was before that batch.
    previous_sequence   UInt64,
    inserted_at         DateTime('UTC') DEFAULT now()
) ENGINE = {{engine "ReplacingMergeTree" "sequence"}}
ORDER BY (source, topic, partition)
SETTINGS {{dedup}};
