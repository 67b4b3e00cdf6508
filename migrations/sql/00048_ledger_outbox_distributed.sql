-- +goose Up
{{distributed "ledger_outbox" "0"}};
