-- +goose Up
-- The newest message that a guest was shown: its one copy. The row outlives the copy, or an older one that comes late would take its place.
CREATE TABLE IF NOT EXISTS {{local "copy_heads"}} (
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    holder_id       UUID CODEC(ZSTD(1)),
    message_id      UUID CODEC(ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
) ENGINE = {{engine "ReplacingMergeTree" "sent_at"}}
ORDER BY (org, meeting_id, call_id, holder_id)
SETTINGS {{dedup}};
