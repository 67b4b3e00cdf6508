-- +goose Up
{{distributed "sweep_beats" "0"}};
