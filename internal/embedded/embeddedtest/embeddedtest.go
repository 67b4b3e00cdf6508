package embeddedtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anteroom/anteroom/internal/embedded"
)

// outsideEnv names a ClickHouse server to use instead of an own one.
const outsideEnv = "ANTEROOM_TEST_CLICKHOUSE"

const startPatience = time.Minute

// Engine is a ClickHouse with a database for one test.
type Engine struct {
	Addr     string // host:port of the native protocol
	HTTPAddr string // host:port of the HTTP interface
	User     string
	Password string
	Database string // fresh, empty, dropped after the test
	Backups  string // folder that backups may be made in; "" on a server from outside
}

// Kafka is a broker that all tests of the binary share.
type Kafka struct {
	Addr      string // host:port
	User      string
	Password  string
	Mechanism string // SASL mechanism, without TLS
}

// Unique returns a name for a topic or group that no other test has.
func (Kafka) Unique(prefix string) string { return prefix + "-" + suffix() }

// shared are the engines of this test binary. It is the package's one variable:
// TestMain has no other way to hand anything to the tests.
var shared engines

type engines struct {
	mu         sync.Mutex
	dir        string               // guarded by mu
	clickhouse *embedded.ClickHouse // guarded by mu
	broker     *embedded.Broker     // guarded by mu
	ready      bool                 // guarded by mu: Main has run
}

// Main runs the tests and then stops the engines they started. It must be the
// whole TestMain of the package, and does not return.
func Main(m *testing.M) {
	embedded.ChildMain()
	shared.mu.Lock()
	shared.ready = true
	shared.mu.Unlock()
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, "stop test engines:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// ClickHouse returns the engine with a fresh database for this test.
func ClickHouse(t testing.TB) Engine {
	t.Helper()
	engine, err := shared.engine()
	if err != nil {
		t.Fatalf("start test ClickHouse: %v", err)
	}
	engine.Database = "test_" + suffix()
	if err := engine.exec("CREATE DATABASE " + engine.Database); err != nil {
		t.Fatalf("make database for the test: %v", err)
	}
	t.Cleanup(func() {
		for _, name := range []string{engine.Database, engine.Database + "_resource_log"} {
			if err := engine.exec("DROP DATABASE IF EXISTS " + name + " SYNC"); err != nil {
				t.Errorf("drop database of the test: %v", err)
			}
		}
	})
	return engine
}

// Broker returns the broker that the tests of this binary share.
func Broker(t testing.TB) Kafka {
	t.Helper()
	broker, err := shared.kafka()
	if err != nil {
		t.Fatalf("start test broker: %v", err)
	}
	return broker
}

func (e *engines) engine() (Engine, error) {
	if outside := os.Getenv(outsideEnv); outside != "" {
		return parseOutside(outside)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.prepare(); err != nil {
		return Engine{}, err
	}
	if e.clickhouse == nil {
		ctx, cancel := context.WithTimeout(context.Background(), startPatience)
		defer cancel()
		cfg := embedded.DefaultClickHouseConfig(filepath.Join(e.dir, "clickhouse"))
		cfg.Unsynced = true // what tests write need not survive the machine
		server, err := embedded.StartClickHouse(ctx, cfg)
		if err != nil {
			return Engine{}, err
		}
		e.clickhouse = server
	}
	if err := e.clickhouse.Err(); err != nil {
		return Engine{}, err
	}
	return Engine{
		Addr: e.clickhouse.Addr(), HTTPAddr: e.clickhouse.HTTPAddr(),
		User: e.clickhouse.User(), Password: e.clickhouse.Password(),
		Backups: filepath.Join(e.dir, "clickhouse", "backups"),
	}, nil
}

func (e *engines) kafka() (Kafka, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.prepare(); err != nil {
		return Kafka{}, err
	}
	if e.broker == nil {
		cfg := embedded.DefaultBrokerConfig(filepath.Join(e.dir, "broker"))
		cfg.Unsynced = true
		broker, err := embedded.StartBroker(context.Background(), cfg)
		if err != nil {
			return Kafka{}, err
		}
		e.broker = broker
	}
	return Kafka{
		Addr: e.broker.Addr(), User: e.broker.User(), Password: e.broker.Password(),
		Mechanism: e.broker.Mechanism(),
	}, nil
}

// prepare makes the folder of the engines. The caller holds mu.
func (e *engines) prepare() error {
	if !e.ready {
		return errors.New("the package needs `func TestMain(m *testing.M) { embeddedtest.Main(m) }`")
	}
	if e.dir != "" {
		return nil
	}
	dir, err := os.MkdirTemp("", "anteroom-test-")
	e.dir = dir
	return err
}

func (e *engines) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	if e.clickhouse != nil {
		errs = append(errs, e.clickhouse.Close())
	}
	if e.broker != nil {
		errs = append(errs, e.broker.Close())
	}
	if e.dir != "" {
		errs = append(errs, os.RemoveAll(e.dir))
	}
	return errors.Join(errs...)
}

func parseOutside(value string) (Engine, error) {
	fields := strings.Split(value, ",")
	if len(fields) < 3 || len(fields) > 4 {
		return Engine{}, fmt.Errorf("%s has %d fields: give host:port,user,password or host:port,user,password,http-host:port",
			outsideEnv, len(fields))
	}
	host, _, err := net.SplitHostPort(fields[0])
	if err != nil {
		return Engine{}, fmt.Errorf("%s: %w", outsideEnv, err)
	}
	engine := Engine{Addr: fields[0], HTTPAddr: net.JoinHostPort(host, "8123"), User: fields[1], Password: fields[2]}
	if len(fields) == 4 {
		engine.HTTPAddr = fields[3]
	}
	return engine, nil
}

// exec runs a statement over HTTP, so that this package, which every test
// imports, brings no ClickHouse client of its own along.
func (e Engine) exec(statement string) error {
	req, err := http.NewRequest(http.MethodPost, "http://"+e.HTTPAddr+"/", strings.NewReader(statement))
	if err != nil {
		return err
	}
	req.Header.Set("X-ClickHouse-User", e.User)
	req.Header.Set("X-ClickHouse-Key", e.Password)
	// The engine waits up to 5 s for open connections when it ends.
	client := http.Client{Timeout: startPatience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

func suffix() string { return strings.ToLower(rand.Text()[:12]) }
