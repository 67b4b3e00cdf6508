-- +goose Up
{{distributed "backups" "0"}};
