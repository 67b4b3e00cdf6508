-- +goose Up
-- How often rows of a call arrived, by which readers know that what was made of them is out of date. Written after a batch's rows are stored and
-- before it is committed; a batch that is stored again counts again, which costs one look and nothing else.
CREATE TABLE IF NOT EXISTS {{local "call_changes"}} (
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    -- Batches with rows of the call, and those among them that had rows of who came or went, or of the call's begin or end.
    batches         SimpleAggregateFunction(sum, UInt64),
    turns           SimpleAggregateFunction(sum, UInt64),
    -- By the server's clock.
    changed_at      SimpleAggregateFunction(max, DateTime64(6, 'UTC')) DEFAULT now64(6, 'UTC'),
    INDEX changed changed_at TYPE minmax GRANULARITY 1
) ENGINE = {{engine "AggregatingMergeTree"}}
ORDER BY (org, call_id)
SETTINGS index_granularity = 1024;
