-- +goose Up
-- What is kept: a message of the thread, one guest's copy of one message, a recording, the notices or the decision inputs of a call. No text. A row
-- goes once its evidence is written, so what is here is what is kept or on its way out. Not here any more and no evidence either: never kept.
CREATE TABLE IF NOT EXISTS {{local "retained"}} (
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    -- All zero for what belongs to no meeting.
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    -- Message, recording, or all zero for what is kept by call.
    item_id         UUID CODEC(ZSTD(1)),
    -- Guest whose copy it is, as a participant of the call; all zero otherwise.
    holder_id       UUID CODEC(ZSTD(1)),
    -- Application of the guest; all zero otherwise.
    resource_id     UUID CODEC(ZSTD(1)),
    -- Of a text that an edit has replaced, or that came after its message was gone: message and revision whose text it is, and item_id is made of both
    -- (proof.RevisionID). All zero for everything else.
    revision_of     UUID CODEC(ZSTD(1)),
    revised_at      DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- When the row was written, by the server's clock: what is new is looked for by it.
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- Empty and -1 for what came by no topic.
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1,
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1,
    INDEX meeting meeting_id TYPE bloom_filter GRANULARITY 1,
    INDEX item item_id TYPE bloom_filter GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(sent_at)
ORDER BY (class, org, meeting_id, call_id, holder_id, sent_at, item_id)
SETTINGS {{dedup}}, {{shortLived}}, index_granularity = 1024;
