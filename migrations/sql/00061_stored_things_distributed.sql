-- +goose Up
{{distributed "stored_things" "cityHash64(org, call_id)"}};
