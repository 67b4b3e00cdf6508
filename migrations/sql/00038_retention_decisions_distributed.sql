-- +goose Up
{{distributed "retention_decisions" "0"}};
