package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"time"
)

// Config says how to reach the ClickHouse of a region.
type Config struct {
	// Addresses are host:port of the native protocol. Required; tried in this order. On a cluster any node will do, since
	// each has the Distributed tables; the migration finds the others in system.clusters.
	Addresses []string `koanf:"addresses"`
	// Database holds all tables. Made by the migration if missing. Default "anteroom".
	Database string `koanf:"database"`
	// ResourceLog is the database of the region's resource log: what applications are told about their own guests. It needs rights of its own, and is no part of
	// backups. Made by the migration if missing. Default: database with resource_log in the place of anteroom, or else with _resource_log behind it.
	ResourceLog string `koanf:"resource_log"`
	// Username to log in with. Default "default".
	Username string `koanf:"username"`
	// Password to log in with. Default none. At most one of Password and PasswordFile.
	Password string `koanf:"password" json:"-"`
	// PasswordFile is a file with the password; white space around it is dropped. Default none.
	PasswordFile string `koanf:"password_file"`
	// TLS secures the connection. Default off.
	TLS TLSConfig `koanf:"tls"`

	// Cluster is the cluster's name in the servers' remote_servers. Default "": one node.
	Cluster string `koanf:"cluster"`
	// Replicated makes Replicated tables; it takes ClickHouse Keeper and the macros {shard} and {replica} on each node.
	// Without it each shard of the cluster must have one replica. Default true; without Cluster it says nothing.
	Replicated bool `koanf:"replicated"`

	// DialTimeout bounds connecting, and waiting for a free connection of the pool. Default 10s.
	DialTimeout time.Duration `koanf:"dial_timeout"`
	// ReadTimeout bounds the silence of the server within an answer. Default 5m.
	ReadTimeout time.Duration `koanf:"read_timeout"`
	// MaxOpenConns bounds the connections. Default 16.
	MaxOpenConns int `koanf:"max_open_conns"`
	// MaxIdleConns bounds the connections kept open without work. Default 8.
	MaxIdleConns int `koanf:"max_idle_conns"`
	// ConnMaxLifetime is the age at which a connection is replaced, so that load spreads to nodes that came back. Default 1h.
	ConnMaxLifetime time.Duration `koanf:"conn_max_lifetime"`
}

// TLSConfig secures a connection to ClickHouse.
type TLSConfig struct {
	// Enabled turns TLS on. Default false.
	Enabled bool `koanf:"enabled"`
	// CAFile holds the certificates (PEM) of the authorities to believe. Default: the system's.
	CAFile string `koanf:"ca_file"`
	// CertFile and KeyFile (PEM) prove who the client is. Default none; both or neither.
	CertFile string `koanf:"cert_file"`
	KeyFile  string `koanf:"key_file"`
	// ServerName is the name expected in the server's certificate. Default: the host of the address.
	ServerName string `koanf:"server_name"`
}

// DefaultConfig returns the configuration for one node on this machine.
func DefaultConfig() Config {
	return Config{
		Addresses:       []string{"127.0.0.1:9000"},
		Database:        "anteroom",
		Username:        "default",
		Replicated:      true,
		DialTimeout:     10 * time.Second,
		ReadTimeout:     5 * time.Minute,
		MaxOpenConns:    16,
		MaxIdleConns:    8,
		ConnMaxLifetime: time.Hour,
	}
}

// identifier is what a database and a cluster may be called: they stand in statements, where nothing can be bound.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if len(c.Addresses) == 0 {
		bad("addresses", "is empty; give at least one host:port")
	}
	for i, address := range c.Addresses {
		if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
			bad(fmt.Sprintf("addresses[%d]", i), "%q is not host:port", address)
		}
	}
	if !identifier.MatchString(c.Database) {
		bad("database", "%q is not a name of letters, digits and _", c.Database)
	}
	if c.ResourceLog != "" && !identifier.MatchString(c.ResourceLog) {
		bad("resource_log", "%q is not a name of letters, digits and _", c.ResourceLog)
	}
	if c.ResourceLog == c.Database {
		bad("resource_log", "is the region's database; it needs one of its own")
	}
	if c.Cluster != "" && !identifier.MatchString(c.Cluster) {
		bad("cluster", "%q is not a name of letters, digits and _", c.Cluster)
	}
	if c.Password != "" && c.PasswordFile != "" {
		bad("password_file", "is set beside password; give one of them")
	}
	if !c.TLS.Enabled && c.TLS != (TLSConfig{}) {
		bad("tls.enabled", "is false, but other fields of tls are set")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		bad("tls.key_file", "cert_file and key_file go together")
	}
	for field, value := range map[string]time.Duration{
		"dial_timeout": c.DialTimeout, "read_timeout": c.ReadTimeout, "conn_max_lifetime": c.ConnMaxLifetime,
	} {
		if value <= 0 {
			bad(field, "%v is not above zero", value)
		}
	}
	if c.MaxOpenConns < 1 {
		bad("max_open_conns", "%d is not above zero", c.MaxOpenConns)
	}
	if c.MaxIdleConns < 1 {
		bad("max_idle_conns", "%d is not above zero", c.MaxIdleConns)
	}
	return errors.Join(errs...)
}

// resourceLog is the name of the resource log's database. Regions whose databases differ have one each.
func (c Config) resourceLog() string {
	const usual, log = "anteroom", "resource_log"
	switch rest, ok := strings.CutPrefix(c.Database, usual); {
	case c.ResourceLog != "":
		return c.ResourceLog
	case ok:
		return log + rest
	}
	return c.Database + "_" + log
}

func (c Config) password() (string, error) {
	if c.PasswordFile == "" {
		return c.Password, nil
	}
	text, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password_file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func (c TLSConfig) config() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: no certificate in %s", c.CAFile)
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w", err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}
