-- +goose Up
-- How long things are kept: one decision per organisation, meeting, class and resource (all zero where none), the newest counts. Decided by the Rego
-- package anteroom.retention whenever a policy, a hold, a user or attendance changes; SQL adds the period to the time of sending.
CREATE TABLE IF NOT EXISTS {{whole "retention_decisions"}} (
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    resource_id     UUID CODEC(ZSTD(1)),
    -- Seconds from sending; NULL: kept for good.
    period_s        Nullable(Int64),
    -- A hold covers it: hidden when due, purged only after release.
    held            Bool,
    -- When the last hold was released; NULL: none ever was. What fell due meanwhile had to be gone from then on.
    released_at     Nullable(DateTime64(6, 'UTC')),
    rule_id         LowCardinality(String),
    rule_version    UInt64,
    reason          LowCardinality(String),
    revision        LowCardinality(String),
    -- Digest of what was decided: what comes to the same again is not written again.
    basis           UInt64,
    decided_at      DateTime64(6, 'UTC'),
    -- Which decision is the newest: one that knows of more changes of policies and holds, and of such the later one. Clocks have no say in it,
    -- and a process that is behind can't undo what another has decided.
    seq             UInt64,
    -- By the server's clock: what was decided on anew is looked for by it.
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = {{engine "ReplacingMergeTree" "seq"}}
ORDER BY (org, meeting_id, class, resource_id)
SETTINGS {{dedup}};
