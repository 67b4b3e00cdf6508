-- +goose Up
{{distributed "ingest_batches" "0"}};
