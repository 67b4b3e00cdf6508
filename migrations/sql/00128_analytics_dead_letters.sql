-- +goose Up
-- Records that could not be ingested. A reason never quotes its record.
CREATE VIEW IF NOT EXISTS analytics_dead_letters
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT region, topic, partition, offset, record, reason, size, observed_at FROM dead_letters FINAL;
