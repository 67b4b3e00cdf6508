-- +goose Up
{{distributed "dead_letters" "0"}};
