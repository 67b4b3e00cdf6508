// Package composetest checks the container files (Dockerfile, docker-compose.yml, deploy/) where no container engine
// is at hand: everything about them that can be told by reading. It holds tests only.
package composetest
