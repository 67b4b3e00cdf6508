-- +goose Up
{{distributed "evidence" "cityHash64(org, call_id)"}};
