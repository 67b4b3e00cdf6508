-- +goose Up
-- The network that an org user came from (/24 or /48), as the media node saw it; empty for everybody else.
ALTER TABLE {{local "participants"}}
    ADD COLUMN IF NOT EXISTS network LowCardinality(String) AFTER os_family;
