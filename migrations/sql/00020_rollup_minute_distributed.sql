-- +goose Up
{{distributed "rollup_minute" "rand()"}};
