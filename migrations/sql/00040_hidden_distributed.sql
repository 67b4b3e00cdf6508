-- +goose Up
{{distributed "hidden" "cityHash64(org, call_id)"}};
