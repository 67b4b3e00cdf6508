-- +goose Up
-- What can't be read any more. Rows are only added: a longer period afterwards brings nothing back. The earliest row of a thing counts.
CREATE TABLE IF NOT EXISTS {{local "hidden"}} (
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    item_id         UUID CODEC(ZSTD(1)),
    holder_id       UUID CODEC(ZSTD(1)),
    resource_id     UUID CODEC(ZSTD(1)),
    revision_of     UUID CODEC(ZSTD(1)),
    revised_at      DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    due_at          Nullable(DateTime64(6, 'UTC')),
    -- When it had to be unreadable: due, superseded or retracted; of what a shorter period made due, since about then. Reads heed that by themselves;
    -- this row makes it last.
    hidden_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    why             Enum8('due' = 1, 'superseded' = 2, 'edited' = 3, 'retracted' = 4, 'tombstoned' = 5),
    -- It was due when it arrived.
    born            Bool,
    rule_id         LowCardinality(String),
    rule_version    UInt64,
    reason          LowCardinality(String),
    revision        LowCardinality(String),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(sent_at)
ORDER BY (class, org, meeting_id, call_id, holder_id, sent_at, item_id)
SETTINGS {{dedup}}, {{shortLived}};
