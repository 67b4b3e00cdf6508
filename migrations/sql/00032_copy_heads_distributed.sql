-- +goose Up
{{distributed "copy_heads" "cityHash64(org, call_id)"}};
