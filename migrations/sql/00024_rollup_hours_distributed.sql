-- +goose Up
{{distributed "rollup_hours" "0"}};
