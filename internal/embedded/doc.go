// Package embedded runs the engines of the one-machine default: a Kafka broker
// in this process (kfake, persistent) and ClickHouse as a child process
// (libchdb, or a `clickhouse` program where there is one). It also holds the
// lock of the data folder and the generated secrets in it.
//
// The rest of the service can't tell these engines from a cluster: it speaks
// Kafka and ClickHouse's native protocol to them. The package imports nothing
// from this module. Every binary that starts ClickHouse, test binaries too,
// calls ChildMain first. Packages that only need engines for their tests use
// embeddedtest.
//
// # What is promised
//
// Both engines listen on 127.0.0.1 only, and nothing is read or written without
// the generated password (0600, in the engine's folder). What was acknowledged
// survives kill -9 and, unless Unsynced, a power cut: the broker syncs every
// batch, ClickHouse every inserted part. The child ends with its parent, however
// that ends. One that ends by itself is started again on the same ports (SuperviseClickHouse);
// until it listens, another process of this machine could take them and be told the
// password by a client that dials on, where it would find no data. A second instance on the same data folder is refused (AcquireLock).
//
// # The library
//
// Searched in this order: ClickHouseConfig.Library, the environment's
// ANTEROOM_CHDB, lib/libchdb.so beside the executable (symbolic links followed),
// internal/embedded/node_modules/@chdb/lib-<platform>/ in the working directory
// or above it. `npm ci` in this folder fetches it, 543 MiB on linux/amd64, in
// some 6 s; `make build` then links or copies it to bin/lib/. The lockfile pins
// its digest and, by the .npmrc here, names no registry. It covers linux/amd64
// alone: the packages for linux/arm64 and macOS exist, but whoever adds them to
// package.json has to run `npm install` where the registry serves them, since
// a digest can't be made up. Until then those platforms need a `clickhouse`
// program on the PATH.
//
// # Traps of the library
//
// ClickHouse 26.7's local session was not made to serve. What that means here:
//
//   - Any exception of a connection ended the process: a wrong password on the
//     native port, a malformed packet, a reset. It installs an aborting error
//     handler unless its standard input is a terminal (ClickHouse issue 115666,
//     fixed after 26.7). So the child's standard input is a pseudo-terminal and
//     it runs --interactive; closing our side ends it cleanly.
//   - User default is needed by the session itself, passwordless, and must be
//     allowed from loopback (a networks rule without it locks the session out
//     too). Rights don't bind the scalar function file('path'), which reads
//     whatever this account can read. See usersTemplate for what locks it.
//   - The users file is read once: SYSTEM RELOAD USERS reads nothing new, and
//     SYSTEM RELOAD CONFIG is not supported. A changed password takes a restart.
//     There is no writable user storage, so CREATE USER fails.
//   - The system database is in memory: system.query_log and system.part_log
//     begin anew with every start. Their files of the last run are removed at
//     the start, since they keep the tables from being made again. Nothing that
//     must outlive a restart may rest on them.
//   - The end takes up to 5 s while a client holds a connection open (3 s over
//     HTTP, by keep_alive_timeout), and some 50 ms otherwise: close clients first.
//   - BACKUP goes to folders under Dir/backups; .zip archives are not built in.
//   - Ports can't be 0, and must be known before the start when nodes of a
//     cluster name each other: FreePorts. Listening starts when the statement
//     says so, after the tables have been loaded: who can connect, can query.
//   - argv[1] must not be "clickhouse", and a users section in the config file
//     is ignored: only the file named by users_config counts.
//   - The parent-death signal follows the thread that started the child. The
//     starting goroutine keeps its thread until the child has ended.
//   - The server's log would hold the text of failed queries; those loggers are
//     off. system.query_log holds query texts for LogDays: bind values on the
//     server's side ({id:String}) and keep personal data out of statements.
//
// With a `clickhouse` program the engine is an ordinary server, and of these only
// the last holds. It does not watch its standard input: on Linux the parent-death
// signal ends it; on macOS it would outlive a killed parent.
//
// # Traps of the broker
//
//   - retention.ms goes by the time the *producer* gave the record, and one
//     batch that is too old takes everything before it along, fresh or not,
//     consumed or not. LogAppendTime is not supported. Producers therefore leave
//     a message's Time alone (the time of sending), and put event times inside.
//   - Retention would only run after a topic was created or altered in this
//     process; StartBroker applies it, and then every hour. Without retention.ms
//     a topic keeps 7 days. Whole segments of 16 MiB are freed; segment.ms does
//     nothing. Until a segment is freed its records can't be fetched, but their
//     bytes are in the file.
//   - It saves its users with its data and prefers them to the configured ones.
//     The saved ones are removed at each start: the password file decides.
//   - A failed write is reported to the producer. A failed sync and a failed save
//     of a committed offset are logged at most.
//   - kafka-go's Reader.Close waits for the running fetch, MaxWait (10 s by
//     default) at most.
package embedded
