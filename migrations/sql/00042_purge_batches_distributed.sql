-- +goose Up
{{distributed "purge_batches" "0"}};
