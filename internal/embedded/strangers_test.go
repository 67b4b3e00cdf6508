package embedded_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/internal/embedded"
)

func TestClickHouse_DefaultUserIsPowerless(t *testing.T) {
	dir := t.TempDir()
	server := startClickHouse(t, embedded.DefaultClickHouseConfig(dir))
	owner := service(t, server)
	secret := filepath.Join(dir, "data", "secret.csv")
	if err := os.WriteFile(secret, []byte("canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustExec(t, owner,
		"CREATE DATABASE d",
		"CREATE TABLE d.t (text String) ENGINE = MergeTree ORDER BY text",
		"INSERT INTO d.t VALUES ('canary')",
		"SYSTEM FLUSH LOGS",
	)
	reads := []string{
		"SELECT text FROM d.t",
		"SELECT * FROM merge('d', '.*')",
		"SELECT * FROM remote('127.0.0.1:%NATIVE%', 'd', 't')",
		"SELECT * FROM remote('127.0.0.1:%NATIVE%', 'd', 't', '%USER%', '')",
		"SELECT * FROM cluster('default', 'd', 't')",
		"SELECT * FROM clusterAllReplicas('default', 'd', 't')",
		"SELECT * FROM file('" + secret + "', 'LineAsString', 'line String')",
		"SELECT * FROM default.`secret.csv`",
		"SELECT * FROM file('/etc/hostname', 'LineAsString', 'line String')",
		"SELECT * FROM file('/dev/stdin', 'LineAsString', 'line String')",
		"SELECT file('" + secret + "')",
		"SELECT file('" + secret + "') SETTINGS max_ast_depth = 1000, max_ast_elements = 1000",
		"SELECT file('" + filepath.Join(dir, "password") + "')",
		"EXPLAIN SELECT file('" + secret + "')",
		"SELECT 1",
		"SELECT * FROM url('http://%HTTP%/', 'LineAsString', 'line String')",
		"SELECT * FROM mergeTreeIndex('d', 't')",
		"SELECT * FROM mergeTreeParts('d', 't')",
		"SELECT * FROM viewIfPermitted(SELECT text FROM d.t ELSE null('text String'))",
		"SELECT * FROM dictionary('d.t')",
		"SELECT * FROM loop('d', 't')",
		"SELECT * FROM executable('x.sh', 'TSV', 'x String')",
		"SELECT * FROM filesystem('/etc')",
		"SHOW CREATE TABLE d.t",
		"DESCRIBE TABLE d.t",
		"SHOW TABLES FROM d",
		"SHOW DATABASES LIKE 'd'",
		"EXISTS TABLE d.t",
		"CHECK TABLE d.t",
		"SHOW PROCESSLIST",
		"SHOW CREATE USER " + server.User(),
		"SHOW GRANTS FOR " + server.User(),
	}
	for _, table := range []string{
		"tables", "columns", "parts", "databases", "query_log", "part_log", "processes", "server_settings", "macros", "clusters",
		"users", "grants", "errors", "disks", "text_log", "mutations", "merges", "settings_profiles", "named_collections",
		"user_processes", "session_log", "warnings", "detached_parts", "parts_columns", "replicas", "query_cache", "filesystem_cache",
		"schema_inference_cache", "certificates", "asynchronous_inserts",
	} {
		reads = append(reads, "SELECT * FROM system."+table)
	}
	for _, table := range []string{"tables", "columns", "schemata"} {
		reads = append(reads, "SELECT * FROM information_schema."+table)
	}
	acts := []string{
		"CREATE DATABASE mine",
		"CREATE TABLE d.mine (n UInt8) ENGINE = Memory",
		"CREATE TABLE default.mine (n UInt8) ENGINE = Memory",
		"CREATE TEMPORARY TABLE f (line String) ENGINE = File(LineAsString, '" + secret + "')",
		"CREATE TEMPORARY TABLE m (text String) ENGINE = Merge('d', '.*')",
		"CREATE TEMPORARY TABLE w (text String) ENGINE = MergeTree ORDER BY text",
		"CREATE VIEW default.v AS SELECT * FROM d.t",
		"CREATE USER mine",
		"CREATE FUNCTION mine AS x -> x",
		"INSERT INTO d.t VALUES ('x')",
		"INSERT INTO FUNCTION file('" + filepath.Join(dir, "out.csv") + "', 'CSV', 'x String') VALUES ('x')",
		"DROP TABLE d.t", "TRUNCATE TABLE d.t", "ALTER TABLE d.t DELETE WHERE 1", "KILL QUERY WHERE 1",
		"SYSTEM STOP LISTEN HTTP", "SYSTEM STOP LISTEN TCP", "SYSTEM START LISTEN TCP",
		"SYSTEM SHUTDOWN", "SYSTEM RELOAD CONFIG", "SYSTEM FLUSH LOGS",
		"BACKUP TABLE d.t TO File('" + filepath.Join(dir, "b.zip") + "')",
		"BACKUP TABLE d.t TO Disk('default', 'b.zip')",
		"SET max_ast_depth = 1000",
		"SET profile = 'default'",
		"EXECUTE AS " + server.User() + " SELECT text FROM d.t",
		"SET ROLE ALL; GRANT ALL ON *.* TO default",
		"GRANT SELECT ON *.* TO default",
		"ALTER USER default IDENTIFIED BY 'x'",
	}
	fill := strings.NewReplacer("%NATIVE%", server.Addr()[len("127.0.0.1:"):], "%HTTP%", server.HTTPAddr(), "%USER%", server.User())
	for _, way := range []struct {
		name, addr string
		protocol   clickhouse.Protocol
	}{{"native", server.Addr(), clickhouse.Native}, {"http", server.HTTPAddr(), clickhouse.HTTP}} {
		t.Run(way.name, func(t *testing.T) {
			stranger := connect(t, way.addr, "default", "", way.protocol)
			for _, query := range reads {
				query = fill.Replace(query)
				if rows, err := allRows(t.Context(), stranger, query); err == nil && leaks(rows) {
					t.Errorf("%s answered %q", query, rows)
				}
			}
			for _, statement := range acts {
				if err := stranger.Exec(t.Context(), statement); err == nil {
					t.Errorf("%s was done", statement)
				}
			}
		})
	}
	// The permitted case, so that the refusals above mean something.
	if got := scalar[string](t, owner, "SELECT text FROM d.t"); got != "canary" {
		t.Errorf("owner reads %q", got)
	}
}

// leaks reports whether an answer tells anything. EXISTS answers 0 or 1 for
// whatever is asked, and an answer of 0 tells nothing.
func leaks(rows []string) bool {
	return len(rows) > 0 && !cmp.Equal(rows, []string{"[0]"})
}

func allRows(ctx context.Context, conn driver.Conn, query string) ([]string, error) {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		values := make([]any, len(rows.ColumnTypes()))
		for i, column := range rows.ColumnTypes() {
			values[i] = newOf(column)
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		texts := make([]string, len(values))
		for i, value := range values {
			texts[i] = deref(value)
		}
		out = append(out, "["+strings.Join(texts, " ")+"]")
	}
	return out, rows.Err()
}

func TestClickHouse_WrongPasswordIsRefused(t *testing.T) {
	server := startClickHouse(t, embedded.DefaultClickHouseConfig(t.TempDir()))
	for _, way := range []struct {
		addr     string
		protocol clickhouse.Protocol
	}{{server.Addr(), clickhouse.Native}, {server.HTTPAddr(), clickhouse.HTTP}} {
		for _, password := range []string{"", "wrong"} {
			err := connect(t, way.addr, server.User(), password, way.protocol).Ping(t.Context())
			if err == nil {
				t.Errorf("%s with password %q: let in", way.protocol, password)
			}
		}
		if err := connect(t, way.addr, server.User(), server.Password(), way.protocol).Ping(t.Context()); err != nil {
			t.Errorf("%s with the right password: %v", way.protocol, err)
		}
	}
}

// TestClickHouse_SurvivesStrangers: any of these ended the whole engine while its
// standard input was no terminal (ClickHouse issue 115666).
func TestClickHouse_SurvivesStrangers(t *testing.T) {
	server := startClickHouse(t, embedded.DefaultClickHouseConfig(t.TempDir()))
	conn := service(t, server)
	for range 3 {
		for _, addr := range []string{server.Addr(), server.HTTPAddr()} {
			for _, packet := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x00\xff\xff\xff\xff\xff\xff\xff", strings.Repeat("junk", 5000)} {
				sendAndReset(t, addr, packet)
			}
		}
		if err := connect(t, server.Addr(), server.User(), "wrong", clickhouse.Native).Ping(t.Context()); err == nil {
			t.Error("wrong password let in")
		}
		if err := conn.Exec(t.Context(), "SELECT throwIf(1)"); err == nil {
			t.Error("throwIf did not throw")
		}
		if err := conn.Ping(t.Context()); err != nil {
			t.Fatalf("the engine is gone: %v; %v", err, server.Err())
		}
	}
}

// sendAndReset sends the packet and cuts the connection without a goodbye.
func sendAndReset(t *testing.T, addr, packet string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(packet)); err != nil {
		return // refused before all was sent: as good
	}
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
}

func TestClickHouse_LogsHoldNoQueryText(t *testing.T) {
	server := startClickHouse(t, embedded.DefaultClickHouseConfig(t.TempDir()))
	conn := service(t, server)
	if err := conn.Exec(t.Context(), "SELECT nothing FROM nowhere WHERE name = 'canary-literal'"); err == nil {
		t.Fatal("no error")
	}
	stranger := connect(t, server.HTTPAddr(), "default", "", clickhouse.HTTP)
	if err := stranger.Exec(t.Context(), "SELECT 'canary-literal'"); err == nil {
		t.Fatal("no error")
	}
	conn.Close()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(server.LogDir(), "*"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "canary-literal") {
			t.Errorf("%s holds the text of a failed query:\n%.2000s", filepath.Base(log), text)
		}
	}
}
