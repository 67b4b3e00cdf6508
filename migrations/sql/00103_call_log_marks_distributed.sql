-- +goose Up
{{distributed "call_log_marks" "cityHash64(org, call_id)"}};
