package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	clickHouseUser = "anteroom"
	// stopPatience is how long Close waits for a clean end before it kills.
	stopPatience = 6 * time.Second
	// startAttempts covers the moment between finding a free port and the
	// engine listening on it, in which another process may take it.
	startAttempts = 3
)

// ClickHouseConfig says where the embedded ClickHouse keeps its data and how
// much of the machine it may use.
type ClickHouseConfig struct {
	// Dir holds data, logs, generated configuration and the password. Required;
	// made with mode 0700 if missing. One running engine per folder: see Lock.
	Dir string
	// Binary is a `clickhouse` program to run as a server. Default: the one on
	// the PATH, and without one the library.
	Binary string
	// Library is the path of libchdb.so. Default: see the package comment. When
	// set, the PATH is not searched for a program.
	Library string
	// Backups is the folder that BACKUP may write to and RESTORE may read from. Default: backups in Dir.
	Backups string
	// NativePort and HTTPPort are loopback ports. Default 0: any free one.
	NativePort int
	HTTPPort   int
	// Password of the service user. Default: generated, kept in Dir with mode
	// 0600. Set it only where several engines must know each other's.
	Password string
	// MemoryRatio is the share of the machine's memory that the engine may use,
	// above 0 and up to 1. Default 0.5.
	MemoryRatio float64
	// Pool is the number of background merge threads. Default 2.
	Pool int
	// LogDays is how many days system.query_log and system.part_log are kept.
	// Default 3.
	LogDays int
	// Unsynced leaves flushing to the operating system, so that an acknowledged
	// insert survives the process but not the machine. Default false. For tests.
	Unsynced bool
	// Cluster makes the engine a node of a cluster. Default nil: alone.
	Cluster *Cluster
	// Readers are further users, each of whom may read one database and nothing else.
	Readers []Reader
}

// Reader is a user who may read one database.
type Reader struct {
	// Name and Database are lower-case words.
	Name, Password, Database string
}

// Cluster describes the cluster that an engine is a node of.
type Cluster struct {
	// Name is used in Distributed tables and ON CLUSTER: a lower-case word.
	Name string
	// Shards lists the replicas of each shard, this engine among them.
	Shards [][]Node
	// Macros are this engine's own, usually shard and replica.
	Macros map[string]string
}

// Node is how the nodes of a cluster reach one of them.
type Node struct {
	Host     string
	Port     int // native protocol
	User     string
	Password string
}

// DefaultClickHouseConfig returns the configuration for a data folder.
func DefaultClickHouseConfig(dir string) ClickHouseConfig {
	return ClickHouseConfig{Dir: dir, MemoryRatio: 0.5, Pool: 2, LogDays: 3}
}

// ClickHouse is a running engine.
type ClickHouse struct {
	cfg     ClickHouseConfig
	process *process
	once    sync.Once
	closed  error
}

// StartClickHouse starts the engine and returns when the service user's
// queries are answered. The context bounds the start only; Close stops it.
func StartClickHouse(ctx context.Context, cfg ClickHouseConfig) (*ClickHouse, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	cfg.Dir = dir
	if cfg.Backups == "" {
		cfg.Backups = filepath.Join(dir, "backups")
	}
	if cfg.Backups, err = filepath.Abs(cfg.Backups); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	if cfg.Password == "" {
		if cfg.Password, err = Secret(cfg.Dir, "password"); err != nil {
			return nil, fmt.Errorf("start ClickHouse: %w", err)
		}
	}
	var errs []error
	for range startAttempts {
		server, err := startOnce(ctx, cfg)
		if err == nil {
			return server, nil
		}
		errs = append(errs, err)
		if cfg.NativePort != 0 || cfg.HTTPPort != 0 || ctx.Err() != nil || !errors.Is(err, errPortTaken) {
			break
		}
	}
	return nil, fmt.Errorf("start ClickHouse: %w", errs[len(errs)-1])
}

var (
	clusterName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	// errPortTaken: somebody else answers on, or holds, the engine's port.
	errPortTaken = errors.New("port is taken by another process")
)

// complete fills in the defaults and refuses what can't work.
func (c *ClickHouseConfig) complete() error {
	def := DefaultClickHouseConfig(c.Dir)
	if c.Dir == "" {
		return errors.New("field Dir is empty")
	}
	if c.MemoryRatio == 0 {
		c.MemoryRatio = def.MemoryRatio
	}
	if c.Pool == 0 {
		c.Pool = def.Pool
	}
	if c.LogDays == 0 {
		c.LogDays = def.LogDays
	}
	switch {
	case c.MemoryRatio < 0 || c.MemoryRatio > 1:
		return fmt.Errorf("field MemoryRatio is %v: give a number above 0 and up to 1", c.MemoryRatio)
	case c.Pool < 1:
		return fmt.Errorf("field Pool is %d: give 1 or more", c.Pool)
	case c.LogDays < 1:
		return fmt.Errorf("field LogDays is %d: give 1 or more", c.LogDays)
	}
	if c.Cluster == nil {
		return nil
	}
	if !clusterName.MatchString(c.Cluster.Name) {
		return fmt.Errorf("Cluster.Name is %q: give a lower-case word", c.Cluster.Name)
	}
	for name := range c.Cluster.Macros {
		if !clusterName.MatchString(name) {
			return fmt.Errorf("Cluster.Macros has %q: give a lower-case word", name)
		}
	}
	return nil
}

func startOnce(ctx context.Context, cfg ClickHouseConfig) (*ClickHouse, error) {
	free, err := FreePorts(2)
	if err != nil {
		return nil, err
	}
	if cfg.NativePort == 0 {
		cfg.NativePort = free[0]
	}
	if cfg.HTTPPort == 0 {
		cfg.HTTPPort = free[1]
	}
	nonce := rand.Text() // by which the engine proves to be the one we started
	process, err := launch(cfg, nonce)
	if err != nil {
		return nil, err
	}
	server := &ClickHouse{cfg: cfg, process: process}
	if err := server.awaitReady(ctx, nonce); err != nil {
		return nil, errors.Join(err, process.close(stopPatience))
	}
	return server, nil
}

// launch starts the engine: a configured or found program as a server, else the
// library in a second run of this binary.
func launch(cfg ClickHouseConfig, nonce string) (*process, error) {
	binary := cfg.Binary
	if binary == "" && cfg.Library == "" {
		binary, _ = exec.LookPath("clickhouse") // not found: the library it is
	}
	data := configData{
		ClickHouseConfig: cfg,
		Data:             filepath.Join(cfg.Dir, "data"),
		Log:              filepath.Join(cfg.Dir, "log"),
		Nonce:            nonce,
		Library:          binary == "",
	}
	if err := os.MkdirAll(data.Data, 0o700); err != nil {
		return nil, err
	}
	if data.Library {
		// The local session's `system` database is in memory: it forgets its
		// tables at the end, but their data stays in the way of new ones.
		if err := os.RemoveAll(filepath.Join(data.Data, "data", "system")); err != nil {
			return nil, fmt.Errorf("remove the last run's engine logs: %w", err)
		}
	}
	files, err := writeEngineFiles(data)
	if err != nil {
		return nil, err
	}
	if binary != "" {
		return launchServer(binary, files)
	}
	library, err := findLibrary(cfg.Library)
	if err != nil {
		return nil, err
	}
	return launchLibrary(library, cfg, data, files)
}

func launchServer(binary string, files engineFiles) (*process, error) {
	cmd := exec.Command(binary, "server", "--config-file="+files.config)
	// A server does not watch its standard input, so the parent's death has to
	// be a signal; see doc.go for macOS.
	cmd.SysProcAttr = childAttr(syscall.SIGKILL)
	p, err := startProcess(cmd)
	if err != nil {
		return nil, err
	}
	p.term = func() error { return p.signal(syscall.SIGTERM) }
	return p, nil
}

// startStatement opens the ports. The session then waits at its prompt until
// its terminal is closed.
const startStatement = `SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP`

func launchLibrary(library string, cfg ClickHouseConfig, data configData, files engineFiles) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, childArg, library,
		"--config-file="+files.config,
		"--path="+data.Data,
		"--listen_host="+loopback,
		"--tcp_port="+strconv.Itoa(cfg.NativePort),
		"--http_port="+strconv.Itoa(cfg.HTTPPort),
		"--log-level=warning",
		"--interactive",
		"--disable_suggestion",
		"--history_file=/dev/null",
		"--query", startStatement,
	)
	// The `default` database shows the files of the working directory: give it
	// the data folder's, not whatever folder the service was started in.
	cmd.Dir = data.Data
	// The engine's threads were not made by Go: keep its preemption signals away.
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1", "TERM=dumb")
	cmd.SysProcAttr = childAttr(syscall.SIGKILL)
	return startProcess(cmd)
}

// Addr is host:port of the native protocol.
func (c *ClickHouse) Addr() string { return address(c.cfg.NativePort) }

// HTTPAddr is host:port of the HTTP interface.
func (c *ClickHouse) HTTPAddr() string { return address(c.cfg.HTTPPort) }

// User is the service user's name. It may do everything.
func (c *ClickHouse) User() string { return clickHouseUser }

// Password is the service user's.
func (c *ClickHouse) Password() string { return c.cfg.Password }

// LogDir is the folder of the engine's own log files.
func (c *ClickHouse) LogDir() string { return filepath.Join(c.cfg.Dir, "log") }

// Pid is the engine's process id.
func (c *ClickHouse) Pid() int { return c.process.cmd.Process.Pid }

// Done is closed when the engine has ended, asked or not.
func (c *ClickHouse) Done() <-chan struct{} { return c.process.done }

// Err says why the engine ended by itself; nil while it runs and after Close.
func (c *ClickHouse) Err() error { return c.process.failure() }

// Close ends the engine cleanly and waits for it. After 6 s it kills it and
// says so. An engine that had ended by itself before is an error too.
func (c *ClickHouse) Close() error {
	c.once.Do(func() { c.closed = c.process.close(stopPatience) })
	return c.closed
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
