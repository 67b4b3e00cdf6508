-- +goose Up
-- All rows of a call are on one shard: see Layout.
{{distributed "samples" "cityHash64(org, call_id)"}};
