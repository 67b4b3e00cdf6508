package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLS is the service's own certificate. The zero TLS serves http.
type TLS struct {
	// CertFile and KeyFile are PEM files: the certificate with its chain, and its key. Both or neither. They are read again when they change, so that
	// a new certificate needs no new start.
	CertFile string `koanf:"cert_file"`
	KeyFile  string `koanf:"key_file"`
}

func (t TLS) on() bool { return t.CertFile != "" }

func (t TLS) validate() error {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return errors.New("tls.cert_file: and tls.key_file belong together; set both or neither")
	}
	return nil
}

// lookAgain is the pause between two looks at whether the files have changed.
const lookAgain = time.Second

// certificate is what the files had when they were last read well.
type certificate struct {
	cfg TLS
	log *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate // guarded by mu
	// of says which state of the files loaded, or the failure to load, is of.
	of     string    // guarded by mu
	looked time.Time // guarded by mu
}

// newCertificate reads the files for the first time, when they have to be good.
func newCertificate(cfg TLS, log *slog.Logger) (*certificate, error) {
	pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cert_file: read certificate and key: %w", err)
	}
	return &certificate{cfg: cfg, log: log, loaded: &pair, of: cfg.state(), looked: time.Now()}, nil
}

// state tells two states of the files apart.
func (t TLS) state() string {
	out := ""
	for _, name := range []string{t.CertFile, t.KeyFile} {
		if info, err := os.Stat(name); err == nil {
			out += fmt.Sprintf("%d %d;", info.ModTime().UnixNano(), info.Size())
		}
	}
	return out
}

// get is for tls.Config: the newest certificate that could be read. While one of the files is being replaced, the old one goes on.
func (c *certificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookAgain {
		return c.loaded, nil
	}
	c.looked = time.Now()
	state := c.cfg.state()
	if state == c.of {
		return c.loaded, nil
	}
	ctx := context.WithoutCancel(hello.Context())
	c.of = state
	pair, err := tls.LoadX509KeyPair(c.cfg.CertFile, c.cfg.KeyFile)
	if err != nil {
		c.log.WarnContext(ctx, "the new certificate can't be read; the old one is used on", slog.String("error", err.Error()))
		return c.loaded, nil
	}
	c.loaded = &pair
	c.log.InfoContext(ctx, "the certificate was read again")
	return c.loaded, nil
}

// config is what connections are made with: TLS 1.2 or newer, with Go's choice of ciphers.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}
