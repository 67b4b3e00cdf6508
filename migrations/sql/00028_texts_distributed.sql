-- +goose Up
{{distributed "texts" "cityHash64(org, call_id)"}};
