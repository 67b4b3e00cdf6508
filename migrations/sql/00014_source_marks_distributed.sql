-- +goose Up
{{distributed "source_marks" "0"}};
