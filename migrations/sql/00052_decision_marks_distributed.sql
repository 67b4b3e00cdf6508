-- +goose Up
{{distributed "decision_marks" "0"}};
