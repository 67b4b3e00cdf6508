-- +goose Up
{{if sharded}}ALTER TABLE decisions
    ADD COLUMN IF NOT EXISTS rules Array(LowCardinality(String)) AFTER reasons,
    ADD COLUMN IF NOT EXISTS evaluation_ns Int64 AFTER revision,
    ADD COLUMN IF NOT EXISTS error LowCardinality(String) AFTER evaluation_ns,
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) DEFAULT 'media' AFTER error{{end}};
