-- +goose Up
-- Records that could not be ingested: why and where they are, never what they say.
CREATE TABLE IF NOT EXISTS {{whole "dead_letters"}} (
    region          LowCardinality(String),
    topic           LowCardinality(String),
    partition       Int32,
    offset          Int64,
    -- Which record of a message that holds several; -1 for the message as a whole.
    record          Int32,
    reason          String,
    size            UInt32,
    -- When the broker took the record; the clock of ingest is never used.
    observed_at     DateTime64(3, 'UTC')
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (topic, partition, offset, record)
SETTINGS {{dedup}};
