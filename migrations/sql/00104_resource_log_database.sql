-- +goose Up
-- What resources are told about their own guests, with the ids that they themselves gave them: a database of its own, so that whoever may read analytics
-- may not read it.
CREATE DATABASE IF NOT EXISTS {{resourceLog}};
