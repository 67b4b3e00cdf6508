-- +goose Up
-- Until when all that was produced is stored and summed up, and why no further.
CREATE VIEW IF NOT EXISTS analytics_watermarks
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT name, watermark, reason, noted_at FROM watermarks FINAL;
