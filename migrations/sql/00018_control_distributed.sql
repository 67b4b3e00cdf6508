-- +goose Up
{{distributed "control" "0"}};
