-- +goose Up
-- Leaves on their way into the region's ledger. Whoever has something to prove writes here; one appends, in order of inserted_at and id.
CREATE TABLE IF NOT EXISTS {{whole "ledger_outbox"}} (
    -- The leaf's own id: a leaf that is written twice is appended once.
    id              String CODEC(ZSTD(1)),
    -- Canonical JSON (retention/proof.Leaf).
    leaf            String CODEC(ZSTD(3)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX leaf_id id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
ORDER BY (inserted_at, id)
SETTINGS {{dedup}};
