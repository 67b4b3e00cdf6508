-- +goose Up
-- While a report is made, the service notes how far it is, again and again, and each time is a version. These are of no use once it has ended; what people did
-- (asked for it, approved, cancelled it) and what came of it is kept for good, as other kinds are. Keys: see 00080.
ALTER TABLE {{whole "control"}}
    MODIFY TTL toDateTime(inserted_at) + INTERVAL 30 DAY DELETE
    WHERE kind = 'sealing_key' OR (kind = 'export' AND author = 'service:exports' AND JSONExtractString(value, 'state') IN ('queued', 'running'));
