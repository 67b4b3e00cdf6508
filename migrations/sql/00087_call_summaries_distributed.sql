-- +goose Up
-- All rows of a call are on one shard: see Layout.
{{distributed "call_summaries" "cityHash64(org, call_id)"}};
