-- +goose Up
-- Purges: what is about to be done is written before it, and what came of it after. The newest row of a batch counts.
CREATE TABLE IF NOT EXISTS {{whole "purge_batches"}} (
    batch_id        UUID,
    -- 'intent', 'purged' (bytes checked to be gone), 'evidenced' (evidence and tombstones are written), 'done' (rows removed), 'given_up' (a hold came between).
    step            Enum8('intent' = 1, 'purged' = 2, 'evidenced' = 3, 'done' = 4, 'given_up' = 5),
    -- Fencing: a sweeper takes over with a higher one.
    epoch           UInt64,
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    -- Partition by day that it is about, and JSON that names what, in whatever form the class needs.
    day             Date,
    what            String CODEC(ZSTD(3)),
    things          UInt64,
    attempts        UInt32,
    -- Why the last attempt failed, in words without data; '' if it didn't.
    failure         String,
    at              DateTime64(6, 'UTC')
) ENGINE = {{engine "ReplacingMergeTree" "at"}}
ORDER BY (batch_id, step)
SETTINGS {{dedup}};
