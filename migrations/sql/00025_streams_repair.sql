-- +goose Up
-- How much of the loss was repaired, and where most of the rest was likely lost.
ALTER TABLE {{local "streams"}}
    ADD COLUMN IF NOT EXISTS packets_repaired Nullable(Int64) CODEC(T64, ZSTD(1)) AFTER transport,
    ADD COLUMN IF NOT EXISTS likely_side LowCardinality(String) AFTER packets_repaired;
