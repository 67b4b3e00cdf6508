-- +goose Up
{{distributed "retained" "cityHash64(org, call_id)"}};
