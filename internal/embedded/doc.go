// Package embedded runs the engines of the one-machine default: a Kafka broker
// in this process and ClickHouse as a child process.
package embedded
