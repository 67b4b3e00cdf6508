-- +goose Up
{{distributed "policy_contents" "0"}};
