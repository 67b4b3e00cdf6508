-- +goose Up
{{if sharded}}ALTER TABLE participants
    ADD COLUMN IF NOT EXISTS network LowCardinality(String) AFTER os_family{{end}};
