-- +goose Up
{{distributed "call_logs" "cityHash64(org, call_id)"}};
