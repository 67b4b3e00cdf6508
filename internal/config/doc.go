// Package config owns the configuration: it gathers the rooms' Config structs into one, reads it from defaults, one YAML file and
// the environment, in this order, and refuses what it doesn't know.
//
// Every key is a field of a Config struct with a koanf tag; nothing is registered twice. anteroom.example.yaml lists all of
// them, which a test holds it to. An environment variable is ANTEROOM_ and the key in capitals, with _ for each dot:
// clickhouse.read_timeout is ANTEROOM_CLICKHOUSE_READ_TIMEOUT. No two keys give the same name, which a test checks.
//
// It promises that an error names the key and, for a file, the line, and that it never shows the value of a secret.
package config
