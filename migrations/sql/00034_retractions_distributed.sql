-- +goose Up
{{distributed "retractions" "cityHash64(org, call_id)"}};
