-- +goose Up
-- What organisations' policies consist of: the files of a revision or of a draft, by their digest. Never changed, so that the same content may come
-- twice. What is of drafts only goes after a year; a draft that is saved again has a row of now.
CREATE TABLE IF NOT EXISTS {{whole "policy_contents"}} (
    org             String CODEC(ZSTD(1)),
    digest          String CODEC(ZSTD(1)),
    draft           Bool,
    -- A JSON object of path to text.
    files           String CODEC(ZSTD(3)),
    at              DateTime('UTC') DEFAULT now('UTC') CODEC(Delta, ZSTD(1))
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (org, digest, draft)
TTL at + INTERVAL 366 DAY DELETE WHERE draft
SETTINGS {{dedup}};
