-- +goose Up
{{distributedLog "usage" "cityHash64(org, call_id)"}};
