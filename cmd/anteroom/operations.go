package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/anteroom/anteroom/internal/app"
)

// operationsPatience bounds the wait for answers that are on their way when the process stops.
const operationsPatience = time.Second

// startOperations listens for whoever watches the process, where an address is configured: a process without the roles media and api has no other.
func (s *service) startOperations(ctx context.Context) error {
	if s.cfg.Operations.Listen == "" {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Operations.Listen)
	if err != nil {
		return fmt.Errorf("listen for operations: %w", err)
	}
	server := &http.Server{Handler: s.operations(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	s.app.Go("operations", func(ctx context.Context) error {
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		select {
		case err := <-served:
			return fmt.Errorf("serve operations: %w", err)
		case <-ctx.Done():
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), operationsPatience)
		defer cancel()
		if err := server.Shutdown(limited); err != nil { // somebody is slow to read
			_ = server.Close()
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve operations: %w", err)
		}
		return nil
	})
	s.log.InfoContext(ctx, "listening for operations", "address", listener.Addr().String())
	return nil
}

// operations answers as the API does under the same names, to whoever asks: it tells of parts and counts, and of nobody.
func (s *service) operations() http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // who asked is gone
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkPatience)
		defer cancel()
		status, body := readiness(s.app.Health(ctx))
		answer(w, status, body)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	return mux
}

// ready is what /readyz says.
type ready struct {
	Ready  bool        `json:"ready"`
	Checks []readyPart `json:"checks"`
}

type readyPart struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

// readiness is the answer: what the others do without doesn't count.
func readiness(checks []app.Check) (int, ready) {
	body := ready{Ready: true, Checks: []readyPart{}}
	for _, c := range checks {
		body.Checks = append(body.Checks, readyPart{Name: c.Name, OK: c.OK, Reason: c.Reason})
		body.Ready = body.Ready && (c.OK || c.Side)
	}
	if !body.Ready {
		return http.StatusServiceUnavailable, body
	}
	return http.StatusOK, body
}
