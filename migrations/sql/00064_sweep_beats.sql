-- +goose Up
-- What whoever sweeps tells of itself, by its epoch (the version of the control row "sweeper"): signs of life, since who is silent for too long is taken over
-- from; and how far it has looked, so that whoever comes next needn't look at everything.
CREATE TABLE IF NOT EXISTS {{whole "sweep_beats"}} (
    epoch           UInt64,
    -- Two rows per epoch: of life, and of marks.
    marks           Bool,
    -- Of life: it has ended by itself.
    over            Bool,
    -- Of marks: the moment that was swept for, and by the server's clock until when what arrived was looked at, was told of in the ledger, and texts were.
    looked          DateTime64(6, 'UTC'),
    arrived         DateTime64(6, 'UTC'),
    registered      DateTime64(6, 'UTC'),
    texts           DateTime64(6, 'UTC'),
    at              DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = {{engine "ReplacingMergeTree" "at"}}
ORDER BY (epoch, marks)
SETTINGS {{dedup}};
