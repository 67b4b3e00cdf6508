-- +goose Up
{{distributed "media_claims" "0"}};
