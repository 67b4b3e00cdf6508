-- +goose Up
{{if sharded}}ALTER TABLE streams
    ADD COLUMN IF NOT EXISTS packets_repaired Nullable(Int64) AFTER transport,
    ADD COLUMN IF NOT EXISTS likely_side LowCardinality(String) AFTER packets_repaired{{end}};
