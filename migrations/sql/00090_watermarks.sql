-- +goose Up
-- Until when all that was produced is stored and summed up, by who found out.
CREATE TABLE IF NOT EXISTS {{whole "watermarks"}} (
    name            LowCardinality(String),
    watermark       DateTime64(6, 'UTC'),
    -- Why it does not move on; empty when it does.
    reason          String,
    noted_at        DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = {{engine "ReplacingMergeTree" "noted_at"}}
ORDER BY name
SETTINGS {{dedup}};
