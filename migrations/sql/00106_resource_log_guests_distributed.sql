-- +goose Up
{{distributedLog "guests" "cityHash64(org, call_id)"}};
