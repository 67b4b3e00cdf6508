// Package embeddedtest gives the tests of other packages real engines: one
// ClickHouse and one Kafka broker per test binary, started when the first test
// asks, stopped when the last has ended.
//
// In each test package that needs one:
//
//	func TestMain(m *testing.M) { embeddedtest.Main(m) }
//
//	func TestInsert(t *testing.T) {
//		ch := embeddedtest.ClickHouse(t) // a fresh, empty database for this test
//		conn, err := clickhouse.Open(&clickhouse.Options{
//			Addr: []string{ch.Addr},
//			Auth: clickhouse.Auth{Database: ch.Database, Username: ch.User, Password: ch.Password},
//		})
//		…
//		kafka := embeddedtest.Broker(t) // shared: take topic and group names of your own
//		topic := kafka.Unique("quality") // a topic name no other test has
//	}
//
// TestMain is needed since the engine's process is a second run of the test
// binary. The database is dropped when the test ends.
//
// A test that restarts or kills engines starts its own with
// embedded.StartClickHouse and embedded.StartBroker on a t.TempDir().
//
// With ANTEROOM_TEST_CLICKHOUSE="host:port,user,password" (native protocol) the
// tests use that server instead; a fourth field gives its HTTP host:port, if that
// is not port 8123 of the same host.
//
// An engine that can't be started fails the test, it never skips it.
package embeddedtest
