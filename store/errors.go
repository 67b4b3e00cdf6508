package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/ClickHouse/clickhouse-go/v2"
)

var (
	// ErrUnavailable: the server could not be reached, went away, or has no room just now. What became of a statement is
	// unknown. Try again, with the same token if it was an insert.
	ErrUnavailable = errors.New("ClickHouse is unavailable")
	// ErrTooManyParts: merges can't keep up with inserts. Slow down and try again.
	ErrTooManyParts = errors.New("ClickHouse has too many parts")
	// ErrNoDatabase: the server has no such database.
	ErrNoDatabase = errors.New("there is no such database")
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the row has another version than the one that was to be replaced.
	ErrConflict = errors.New("version conflict")
)

const (
	codeTooManyParts    = 252 // TOO_MANY_PARTS
	codeNoSuchPart      = 232 // NO_SUCH_DATA_PART
	codeUnknownTable    = 60  // UNKNOWN_TABLE
	codeUnknownDatabase = 81  // UNKNOWN_DATABASE
)

// isCode tells whether the server refused with one of its error codes.
func isCode(err error, code int32) bool {
	var exception *clickhouse.Exception
	return errors.As(err, &exception) && exception.Code == code
}

// unavailable are the server's error codes that speak of a passing state.
// Names: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
func unavailable(code int32) bool {
	switch code {
	case codeUnknownDatabase, // the region is being restored
		159, // TIMEOUT_EXCEEDED
		202, // TOO_MANY_SIMULTANEOUS_QUERIES
		209, // SOCKET_TIMEOUT
		210, // NETWORK_ERROR
		225, // NO_ZOOKEEPER
		236, // ABORTED: the server stops
		241, // MEMORY_LIMIT_EXCEEDED
		242, // TABLE_IS_READ_ONLY: the replica has lost Keeper
		243, // NOT_ENOUGH_SPACE
		279, // ALL_CONNECTION_TRIES_FAILED: a shard is away
		285, // TOO_FEW_LIVE_REPLICAS
		286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
		289, // REPLICA_IS_NOT_IN_QUORUM
		319, // UNKNOWN_STATUS_OF_INSERT
		394, // QUERY_WAS_CANCELLED
		733, // TABLE_IS_BEING_RESTARTED
		999: // KEEPER_EXCEPTION
		return true
	}
	return false
}

// wrap says what failed, and marks what a later attempt may not meet. A context that ended stays recognisable as such and is
// no sign of trouble with the server.
func wrap(action string, err error) error {
	if err == nil {
		return nil
	}
	var exception *clickhouse.Exception
	var network net.Error
	switch {
	case errors.As(err, &exception):
		if exception.Code == codeTooManyParts {
			return fmt.Errorf("%s: %w: %w", action, ErrTooManyParts, err)
		}
		if unavailable(exception.Code) {
			return fmt.Errorf("%s: %w: %w", action, ErrUnavailable, err)
		}
	case errors.Is(err, context.Canceled):
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, clickhouse.ErrAcquireConnTimeout),
		errors.Is(err, clickhouse.ErrConnectionClosed), errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone): // the last two of migrations
		return fmt.Errorf("%s: %w: %w", action, ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", action, err)
}
