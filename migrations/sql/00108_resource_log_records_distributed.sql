-- +goose Up
{{distributedLog "records" "cityHash64(org, call_id)"}};
