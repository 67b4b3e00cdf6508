-- +goose Up
-- Control state: organisations, users, policies, holds and the like, as versioned rows that are only ever added. Few and
-- precious: no partitions, no TTL, not sharded, and ORDER BY puts the versions of a row side by side. A version is won by
-- one writer because all writers of it share a deduplication token (see store/control.go), which takes the window below.
CREATE TABLE IF NOT EXISTS {{whole "control"}} (
    kind            LowCardinality(String),
    -- Organisation that owns the row; empty for what belongs to the operator.
    org             String CODEC(ZSTD(1)),
    id              String CODEC(ZSTD(1)),
    -- 1, 2, 3, … without gaps.
    version         UInt64,
    -- JSON; empty in a deletion.
    value           String CODEC(ZSTD(3)),
    -- The row ceased to exist with this version. A later version brings it back.
    deleted         Bool,
    -- Who changed it, and when by the writer's clock.
    author          String CODEC(ZSTD(1)),
    at              DateTime64(6, 'UTC'),
    -- Random per attempt to write, by which a writer knows its own row.
    write_id        UUID,
    -- When the server took the row. Should two rows ever claim one version, the earlier is the version.
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = {{engine "MergeTree"}}
ORDER BY (kind, org, id, version)
SETTINGS {{dedup}};
