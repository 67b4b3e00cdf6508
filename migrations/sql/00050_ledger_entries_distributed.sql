-- +goose Up
{{distributed "ledger_entries" "0"}};
