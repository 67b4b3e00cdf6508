package identity_test

import (
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/identity"
)

func TestConfigIsChecked(t *testing.T) {
	for _, test := range []struct {
		name, want string
		change     func(*identity.Config)
	}{
		{"default", "", func(*identity.Config) {}},
		{"operator on https", "", func(c *identity.Config) {
			c.OperatorIssuer = identity.OperatorIssuer{URL: "https://login.example", ClientID: "x"}
		}},
		{"operator on http", "operator_issuer.url:", func(c *identity.Config) {
			c.OperatorIssuer = identity.OperatorIssuer{URL: "http://login.example", ClientID: "x"}
		}},
		{"operator without client", "operator_issuer.client_id:", func(c *identity.Config) { c.OperatorIssuer.URL = "https://login.example" }},
		{"development on loopback", "", func(c *identity.Config) { c.DevelopmentIssuer = "http://127.0.0.1:8480/dev-issuer" }},
		{"development elsewhere", "development_issuer:", func(c *identity.Config) { c.DevelopmentIssuer = "https://login.example" }},
		{"development by a name that looks like loopback", "development_issuer:", func(c *identity.Config) { c.DevelopmentIssuer = "http://127.0.0.1.example" }},
		{"long lifetime", "max_guest_lifetime:", func(c *identity.Config) { c.MaxGuestLifetime = 25 * time.Hour }},
		{"negative lifetime", "max_guest_lifetime:", func(c *identity.Config) { c.MaxGuestLifetime = -1 }},
		{"large skew", "clock_skew:", func(c *identity.Config) { c.ClockSkew = time.Hour }},
		{"idle above the whole", "session_idle:", func(c *identity.Config) { c.SessionIdle = 9 * time.Hour }},
		{"short key", "master.key:", func(c *identity.Config) { c.Master.Key = "c2hvcnQ=" }},
		{"key twice", "master.key:", func(c *identity.Config) {
			c.Master = identity.MasterKey{Key: base64.StdEncoding.EncodeToString(make([]byte, 32)), File: "x"}
		}},
		{"few remembered", "max_remembered:", func(c *identity.Config) { c.MaxRemembered = 3 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := identity.DefaultConfig()
			test.change(&cfg)
			err := cfg.Validate()
			if (err == nil) != (test.want == "") || (err != nil && !strings.HasPrefix(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && cfg.Master.Key != "" && strings.Contains(err.Error(), cfg.Master.Key) {
				t.Error("the error shows the key")
			}
		})
	}
}

func TestMasterKeyFile(t *testing.T) {
	open := func(cfg identity.Config) error {
		verifier, err := identity.New(cfg, identity.Deps{Directory: &rows{}, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			err = verifier.Close()
		}
		return err
	}
	folder := t.TempDir()
	if err := open(identity.Config{StateFolder: folder}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "master.key")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("got %v, %v", info, err)
	}
	if err := open(identity.Config{StateFolder: t.TempDir(), Master: identity.MasterKey{File: path}}); err != nil {
		t.Errorf("the same file by name: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := open(identity.Config{StateFolder: folder}); err == nil || !strings.Contains(err.Error(), "0644") {
		t.Errorf("a key that others can read: %v", err)
	}
	if err := open(identity.Config{StateFolder: folder, Master: identity.MasterKey{File: filepath.Join(folder, "missing")}}); err == nil {
		t.Error("a configured key file that is missing was made")
	}
	if err := open(identity.Config{}); err == nil || !strings.Contains(err.Error(), "state_folder") {
		t.Errorf("no folder: %v", err)
	}
}
