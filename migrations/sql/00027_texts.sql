-- +goose Up
-- Texts of chat: one row per revision of a message and class. A text is here as long as something of its class is kept of the message in this region,
-- and its bytes go with the last. Old parts go within seconds, so that purged bytes are in no file for long.
CREATE TABLE IF NOT EXISTS {{local "texts"}} (
    class           Enum8('thread' = 1, 'copy' = 2),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    message_id      UUID CODEC(ZSTD(1)),
    -- Participant who wrote it.
    author_id       UUID CODEC(ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- When this revision was written: sent_at for the first. The highest is the text.
    revised_at      DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- JSON of all that was written (event.ChatContent).
    text            String CODEC(ZSTD(1)),
    -- When the row was written, by the server's clock: texts that came after what they belong to are looked for by it.
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1,
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1,
    INDEX message message_id TYPE bloom_filter GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY (class, toDate(sent_at))
ORDER BY (org, meeting_id, sent_at, message_id, revised_at)
SETTINGS {{dedup}}, {{shortLived}}, index_granularity = 1024;
