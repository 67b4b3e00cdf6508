package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/devissuer"
	"github.com/anteroom/anteroom/internal/config"
)

// devIssuerPath is where the development issuer is mounted.
const devIssuerPath = "/dev/issuer"

// stateFolder is where `anteroom run` keeps keys and the journal of used tokens.
func stateFolder(cfg config.Embedded) string { return filepath.Join(cfg.Data, "identity") }

// startDirectory follows what is known of organisations, users, resources, meetings, retention policies and holds. It is called by all that need it.
func (s *service) startDirectory() error {
	if s.directory != nil {
		return nil
	}
	var err error
	s.directory, err = registry.New(registry.Deps{Store: s.store, Metrics: s.metrics, Log: s.log.With("room", "directory")})
	if err != nil {
		return err
	}
	s.app.Go("directory", s.directory.Run)
	s.app.OnCheck("directory", func(context.Context) error {
		select {
		case <-s.directory.Ready():
			return nil
		default:
			return registry.ErrNotReady
		}
	})
	return nil
}

// startIdentity begins to tell who asks. Under `anteroom run`, where the address is on loopback, a development issuer signs in whoever asks.
func (s *service) startIdentity(listener net.Listener) error {
	cfg := s.cfg.Identity
	log := s.log.With("room", "identity")
	if cfg.StateFolder == "" {
		return fmt.Errorf("%w: identity.state_folder: the roles media and api need a folder of this process's own", errConfig)
	}
	if s.development {
		cfg.DevelopmentIssuer = "http://" + listener.Addr().String() + devIssuerPath
	}
	verifier, err := identity.New(cfg, identity.Deps{Directory: s.directory, Log: log, First: s.firstUse()})
	if err != nil {
		return err
	}
	s.app.OnStop("identity", func(context.Context) error { return verifier.Close() })
	s.identity = verifier
	if !s.development {
		return nil
	}
	s.devIssuer, err = devissuer.Open(devissuer.Config{
		URL: cfg.DevelopmentIssuer, Folder: cfg.StateFolder, RedirectURLs: redirects(listener, s.cfg.API.PublicURL),
	}, devissuer.Deps{Organizations: s.withoutIssuer, Log: log})
	return err
}

// firstUse tells whether a token was used on no other node; nil where there is none.
func (s *service) firstUse() func(context.Context, string, time.Time) (bool, error) {
	if s.nodes == nil {
		return nil
	}
	return s.nodes.First
}

// redirects are this service's own addresses of /callback.
func redirects(listener net.Listener, public string) []string {
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil
	}
	var out []string
	for _, host := range []string{"127.0.0.1", "localhost"} {
		out = append(out, "http://"+net.JoinHostPort(host, port)+"/callback")
	}
	if public != "" {
		out = append(out, strings.TrimSuffix(public, "/")+"/callback")
	}
	return out
}

// withoutIssuer are the organisations whose users the development issuer signs in.
func (s *service) withoutIssuer(context.Context) ([]devissuer.Organization, error) {
	var out []devissuer.Organization
	for _, o := range s.directory.Organizations.All() {
		if o.Value.Issuer == nil {
			out = append(out, devissuer.Organization{ID: o.Value.ID, Name: o.Value.Name})
		}
	}
	return out, nil
}
