-- +goose Up
-- Backups of this region's tables: until one is known to be gone, what was deleted since it began may be in it. The newest row of a backup counts.
CREATE TABLE IF NOT EXISTS {{whole "backups"}} (
    name            String CODEC(ZSTD(1)),
    started_at      DateTime64(6, 'UTC'),
    -- 'failed' may have left files as well; 'gone' is what nobody finds any more.
    step            Enum8('begun' = 1, 'done' = 2, 'failed' = 3, 'gone' = 4),
    expires_at      DateTime64(6, 'UTC'),
    -- JSON: what a restore has to know (retention/backup.Manifest).
    manifest        String CODEC(ZSTD(3)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = {{engine "ReplacingMergeTree" "inserted_at"}}
ORDER BY (name, started_at)
SETTINGS {{dedup}};
