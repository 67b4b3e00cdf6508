-- +goose Up
-- Batches of what came to be kept and of what is purged: what is about to be done is written before it, and what came of it after.
CREATE TABLE IF NOT EXISTS {{whole "purge_batches"}} (
    batch_id        UUID,
    kind            Enum8('stored' = 1, 'purge' = 2),
    -- 'intent' (the things of it are written; again for each attempt, the newest counts), 'purged' (bytes checked to be gone, written once),
    -- 'evidenced' (evidence, leaf and tombstones are written), 'done' (rows removed), 'given_up' (nothing came of it).
    step            Enum8('intent' = 1, 'purged' = 2, 'evidenced' = 3, 'done' = 4, 'given_up' = 5),
    -- Who did it: a sweeper takes over with a higher one.
    epoch           UInt64,
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    -- When the things were sent.
    day             Date,
    things          UInt64,
    attempts        UInt32,
    -- Why the last attempt failed, in words without data; '' if it didn't.
    failure         String,
    -- By the clock that the sweep was given.
    at              DateTime64(6, 'UTC'),
    -- When the batch was begun, by the server's clock: the same in all of its rows.
    begun           DateTime64(6, 'UTC'),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toYYYYMM(begun)
ORDER BY (batch_id, step)
SETTINGS {{dedup}};
