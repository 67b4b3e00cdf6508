-- +goose Up
{{distributed "attendance" "0"}};
