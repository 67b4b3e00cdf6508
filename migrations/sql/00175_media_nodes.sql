-- +goose Up
-- Media nodes and their signs of life: who is silent for longer than the lease is taken over from. One row per start of a node.
CREATE TABLE IF NOT EXISTS {{whole "media_nodes"}} (
    node            UUID,
    -- Where the other nodes reach it.
    url             String CODEC(ZSTD(1)),
    -- It has ended by itself, and its meetings are handed over.
    over            Bool,
    at              DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = {{engine "ReplacingMergeTree" "at"}}
ORDER BY node
TTL toDateTime(at) + INTERVAL 1 DAY
SETTINGS {{dedup}};
