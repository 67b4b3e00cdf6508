-- +goose Up
{{distributed "watermarks" "0"}};
