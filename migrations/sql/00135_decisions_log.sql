-- +goose Up
-- What the decision log shows besides: which rules spoke, how long it took, what went wrong, and who decided. An allowed use takes up a row of its own, so
-- a day may have millions: instants and ids are found without reading them all.
ALTER TABLE {{local "decisions"}}
    ADD COLUMN IF NOT EXISTS rules Array(LowCardinality(String)) AFTER reasons,
    ADD COLUMN IF NOT EXISTS evaluation_ns Int64 CODEC(T64, ZSTD(1)) AFTER revision,
    -- Why there was no answer of a policy, so that it was denied: error, undefined, timeout, not_loaded. Empty: there was one.
    ADD COLUMN IF NOT EXISTS error LowCardinality(String) AFTER evaluation_ns,
    -- Who decided: media (this service), opa (an agent that sent its own log).
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) DEFAULT 'media' AFTER error,
    ADD INDEX IF NOT EXISTS at_range at TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_id decision_id TYPE bloom_filter GRANULARITY 1;
