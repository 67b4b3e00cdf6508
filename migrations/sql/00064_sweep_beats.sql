-- +goose Up
-- Signs of life of whoever sweeps, by its epoch (the version of the control row "sweeper"): who is silent for too long is taken over from.
CREATE TABLE IF NOT EXISTS {{whole "sweep_beats"}} (
    epoch           UInt64,
    -- It has ended by itself.
    over            Bool,
    at              DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = {{engine "ReplacingMergeTree" "at"}}
ORDER BY epoch
SETTINGS {{dedup}};
