package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	brokerUser = "anteroom"
	// retentionEvery is the pause between two retention passes.
	retentionEvery = time.Hour
	// segmentBytes: the broker frees whole segments only, and does not roll them
	// by time, so a segment is also what outlives its retention.
	segmentBytes = 16 << 20
	// brokerMechanism is SCRAM and not PLAIN: the listener has no TLS, and with
	// SCRAM the password itself never crosses the socket.
	brokerMechanism = "SCRAM-SHA-256"
)

// BrokerConfig says where the embedded broker keeps its data.
type BrokerConfig struct {
	// Dir holds topics, committed offsets, the password and the remembered
	// port. Required; made with mode 0700 if missing.
	Dir string
	// Unsynced leaves flushing to the operating system, so that records that
	// were acknowledged survive the process but not the machine. Default false:
	// every batch is synced before it is acknowledged. For tests.
	Unsynced bool
	// Advertise is the host:port that clients are told to connect to. Default
	// Addr. For tests that put something in between.
	Advertise string
	// Logger gets the broker's warnings and errors. Default slog.Default().
	Logger *slog.Logger
}

// DefaultBrokerConfig returns the configuration for a data folder.
func DefaultBrokerConfig(dir string) BrokerConfig {
	return BrokerConfig{Dir: dir}
}

// Broker is a Kafka broker in this process.
type Broker struct {
	cluster  *kfake.Cluster
	addr     string
	password string
	stop     chan struct{}
	stopped  chan struct{}
	once     sync.Once
}

// StartBroker starts the broker and returns when it answers. Topics are never
// made by naming them: whoever owns a topic creates it with its partitions.
// Retention is applied once now and then every hour.
// The context bounds the start only; Close stops the broker.
func StartBroker(ctx context.Context, cfg BrokerConfig) (*Broker, error) {
	if cfg.Dir == "" {
		return nil, fmt.Errorf("start broker: Dir is empty")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	password, err := Secret(cfg.Dir, "password")
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	listener, err := listenRemembered(filepath.Join(cfg.Dir, "port"))
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	data := filepath.Join(cfg.Dir, "log")
	// The broker persists its users and prefers them to the configured ones. The
	// password file alone decides, so that deleting it changes the password.
	if err := os.Remove(filepath.Join(data, "sasl.json")); err != nil && !os.IsNotExist(err) {
		listener.Close()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.DataDir(data),
		kfake.EnableSASL(),
		kfake.Superuser(brokerMechanism, brokerUser, password),
		kfake.WithLogger(brokerLog{cfg.Logger}),
		kfake.BrokerConfigs(map[string]string{"log.segment.bytes": strconv.Itoa(segmentBytes)}),
		// The port was bound above, so nobody can take it in between.
		kfake.ListenFn(func(string, string) (net.Listener, error) { return advertised(listener, cfg.Advertise) }),
	}
	if !cfg.Unsynced {
		opts = append(opts, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	b := &Broker{
		cluster: cluster, addr: listener.Addr().String(), password: password,
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	// The broker's own clock for this starts when a topic is created or altered,
	// so after a restart it would never run.
	b.cluster.ApplyRetention()
	go b.retain()
	return b, nil
}

// elsewhere is a listener that says that it is somewhere else.
type elsewhere struct {
	net.Listener
	at net.Addr
}

func (e elsewhere) Addr() net.Addr { return e.at }

// advertised is the listener, telling the address that clients are to be told.
func advertised(l net.Listener, address string) (net.Listener, error) {
	if address == "" {
		return l, nil
	}
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("resolve the advertised address: %w", err)
	}
	return elsewhere{l, at}, nil
}

// retain applies retention until Close.
func (b *Broker) retain() {
	defer close(b.stopped)
	tick := time.NewTicker(retentionEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.cluster.ApplyRetention()
		case <-b.stop:
			return
		}
	}
}

// Addr is the broker's host:port on loopback, the same across restarts unless
// another process has taken the port meanwhile.
func (b *Broker) Addr() string { return b.addr }

// User is the name to log in with.
func (b *Broker) User() string { return brokerUser }

// Password is the generated password.
func (b *Broker) Password() string { return b.password }

// Mechanism is the SASL mechanism the broker takes: SCRAM-SHA-256.
func (b *Broker) Mechanism() string { return brokerMechanism }

// Close writes what is still in memory and stops the broker.
func (b *Broker) Close() error {
	b.once.Do(func() {
		close(b.stop)
		<-b.stopped // a pass on a closed broker would wait for ever
		b.cluster.Close()
	})
	return nil
}

// brokerLog hands the broker's own messages on. They name topics, groups and
// client addresses on loopback, never a record's content.
type brokerLog struct{ logger *slog.Logger }

func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.logger.Error("embedded broker", "detail", fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.logger.Warn("embedded broker", "detail", fmt.Sprintf(format, args...))
	case kfake.LogLevelNone, kfake.LogLevelInfo, kfake.LogLevelDebug:
	}
}
