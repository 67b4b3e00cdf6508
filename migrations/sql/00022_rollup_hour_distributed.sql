-- +goose Up
{{distributed "rollup_hour" "rand()"}};
