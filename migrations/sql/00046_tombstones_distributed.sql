-- +goose Up
{{distributed "tombstones" "cityHash64(org, call_id)"}};
