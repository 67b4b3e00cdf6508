// Package kafka owns how Anteroom speaks Kafka: connection settings (TLS, SASL), the producer of events and the administration of
// topics, all through kafka-go. It promises nothing about delivery beyond the broker's acknowledgement: a lost acknowledgement
// leaves a record twice, which is why each event carries its source and sequence.
package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Config says how to reach a Kafka cluster, or what speaks its protocol (an Azure Event Hubs namespace).
type Config struct {
	// Brokers are host:port of the first brokers to ask. Required.
	Brokers []string `koanf:"brokers"`
	// TLS secures the connection. Default off.
	TLS TLSConfig `koanf:"tls"`
	// SASL logs in. Default off.
	SASL SASLConfig `koanf:"sasl"`
	// Timeout bounds one request. Default 30s; Event Hubs asks for 60s.
	Timeout time.Duration `koanf:"timeout"`
}

// TLSConfig secures a connection to Kafka.
type TLSConfig struct {
	// Enabled turns TLS on. Default false.
	Enabled bool `koanf:"enabled"`
	// CAFile is a PEM file of the authorities to trust instead of the system's. Default the system's.
	CAFile string `koanf:"ca_file"`
	// CertFile and KeyFile are the PEM files of the client's certificate, for mutual TLS. Default none.
	CertFile string `koanf:"cert_file"`
	KeyFile  string `koanf:"key_file"`
	// ServerName is the name to expect in the broker's certificate. Default the host that is dialled.
	ServerName string `koanf:"server_name"`
}

// SASLConfig logs in to Kafka.
type SASLConfig struct {
	// Mechanism is "", "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512". Default "": no login.
	Mechanism string `koanf:"mechanism"`
	// Username to log in with; "$ConnectionString" for Event Hubs.
	Username string `koanf:"username"`
	// Password to log in with; the connection string for Event Hubs. At most one of Password and PasswordFile.
	Password string `koanf:"password" json:"-"`
	// PasswordFile is a file with the password; white space around it is dropped. Default none.
	PasswordFile string `koanf:"password_file"`
}

// DefaultConfig is a cluster without brokers; they have to be named.
func DefaultConfig() Config { return Config{Timeout: 30 * time.Second} }

// Validate refuses a configuration that can't work, naming each field.
func (c Config) Validate() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Brokers) == 0 {
		refuse("brokers: name at least one host:port")
	}
	for i, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			refuse("brokers[%d]: %q is not host:port", i, b)
		}
	}
	if c.Timeout < 0 {
		refuse("timeout: must not be negative")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		refuse("tls.cert_file and tls.key_file: give both or none")
	}
	if c.SASL.Password != "" && c.SASL.PasswordFile != "" {
		refuse("sasl.password and sasl.password_file: give one of them")
	}
	switch c.SASL.Mechanism {
	case "", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
	default:
		refuse("sasl.mechanism: %q is not one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", c.SASL.Mechanism)
	}
	return errors.Join(errs...)
}

// Client is a configured way to reach one cluster. It holds idle connections; Close drops them.
type Client struct {
	cfg       Config
	tls       *tls.Config
	mechanism sasl.Mechanism
	transport *kafkago.Transport
}

// New reads what the configuration names (files, passwords) and connects to nothing.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultConfig().Timeout
	}
	c := &Client{cfg: cfg}
	var err error
	if cfg.TLS.Enabled {
		if c.tls, err = cfg.TLS.load(); err != nil {
			return nil, fmt.Errorf("kafka: %w", err)
		}
	}
	if c.mechanism, err = cfg.SASL.load(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	c.transport = &kafkago.Transport{
		ClientID:    clientID,
		DialTimeout: 10 * time.Second,
		// Event Hubs cuts connections that were idle for 240 s.
		IdleTimeout: 3 * time.Minute,
		MetadataTTL: 6 * time.Second,
		TLS:         c.tls,
		SASL:        c.mechanism,
	}
	return c, nil
}

const clientID = "anteroom"

// Close drops idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Brokers are the addresses that the client was given.
func (c *Client) Brokers() []string { return c.cfg.Brokers }

// Timeout bounds one request.
func (c *Client) Timeout() time.Duration { return c.cfg.Timeout }

// API gives kafka-go's request client on the shared transport.
func (c *Client) API() *kafkago.Client {
	return &kafkago.Client{Addr: kafkago.TCP(c.cfg.Brokers...), Timeout: c.cfg.Timeout, Transport: c.transport}
}

// Dialer gives a dialer for kafka-go's connections and consumer groups.
func (c *Client) Dialer() *kafkago.Dialer {
	return &kafkago.Dialer{ClientID: clientID, Timeout: 10 * time.Second, DualStack: true, KeepAlive: 30 * time.Second, TLS: c.tls, SASLMechanism: c.mechanism}
}

func (t TLSConfig) load() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("tls.ca_file: holds no certificate in PEM form")
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file, tls.key_file: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

func (s SASLConfig) load() (sasl.Mechanism, error) {
	password := s.Password
	if s.PasswordFile != "" {
		b, err := os.ReadFile(s.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("sasl.password_file: %w", err)
		}
		password = strings.TrimSpace(string(b))
	}
	switch s.Mechanism {
	case "PLAIN":
		return plain.Mechanism{Username: s.Username, Password: password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.Username, password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.Username, password)
	}
	return nil, nil //nolint:nilnil // no mechanism means no login
}
