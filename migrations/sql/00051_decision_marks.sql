-- +goose Up
-- Until when this region's decisions are up to date: without a fresh row nothing may be purged, since a hold may have come that no decision here knows of.
CREATE TABLE IF NOT EXISTS {{whole "decision_marks"}} (
    -- Always '': the newest row counts.
    id              LowCardinality(String),
    -- Rises with each row.
    n               UInt64,
    -- How many versions of policies and holds the decisions know of (Store.ControlVersions of the home region).
    seen            UInt64,
    -- By the clock of this database: when those versions were read.
    at              DateTime64(6, 'UTC')
) ENGINE = {{engine "ReplacingMergeTree" "n"}}
ORDER BY id
SETTINGS {{dedup}};
