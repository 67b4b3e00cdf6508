-- +goose Up
-- Keys that chat is sealed to come and go every ten minutes, and whoever follows them reads the versions of all at each look. What became of a key is
-- of no use once no broker has anything that was sealed to it. All other kinds are kept for good.
ALTER TABLE {{whole "control"}}
    MODIFY TTL toDateTime(inserted_at) + INTERVAL 30 DAY DELETE WHERE kind = 'sealing_key';
