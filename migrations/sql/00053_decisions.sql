-- +goose Up
-- What policy decided in meetings, and on what input: asked again, the same revision must answer the same. No personal data.
CREATE TABLE IF NOT EXISTS {{local "decisions"}} (
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    decision_id     UUID CODEC(ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    action          LowCardinality(String),
    effect          LowCardinality(String),
    reasons         Array(LowCardinality(String)),
    revision        LowCardinality(String),
    -- Canonical JSON (RFC 8785).
    input           String CODEC(ZSTD(3)),
    at              DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    -- That of the call's thing of class decision, which all of them are together (table retained).
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(sent_at)
ORDER BY (org, meeting_id, call_id, at, decision_id)
SETTINGS {{dedup}}, {{shortLived}};
