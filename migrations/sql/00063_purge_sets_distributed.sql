-- +goose Up
{{distributed "purge_sets" "cityHash64(org, call_id)"}};
