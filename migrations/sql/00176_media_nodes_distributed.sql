-- +goose Up
{{distributed "media_nodes" "0"}};
