-- +goose Up
-- Notices are purged out of this table, and a purge counts once no part has their rows, those included that a mutation has replaced.
ALTER TABLE {{local "timeline"}}
    MODIFY SETTING {{shortLived}};
