-- +goose Up
{{distributed "decisions" "cityHash64(org, call_id)"}};
