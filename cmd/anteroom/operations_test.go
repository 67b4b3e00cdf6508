package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/internal/app"
)

// A process without the roles media and api can be watched as well.
func TestOperationsAreToldWithoutAnAPI(t *testing.T) {
	s := &service{app: app.New(slog.New(slog.DiscardHandler)), metrics: prometheus.NewRegistry(), log: slog.New(slog.DiscardHandler)}
	counted := prometheus.NewCounter(prometheus.CounterOpts{Name: "anteroom_test_total", Help: "A counter."})
	s.metrics.MustRegister(counted)
	away, side := true, true
	state := func(is *bool, why string) func(context.Context) error {
		return func(context.Context) error {
			if *is {
				return errors.New(why)
			}
			return nil
		}
	}
	s.app.OnCheck("ClickHouse", state(&away, "it is away"))
	s.app.OnSideCheck("Kafka of amer", state(&side, "that is far"))
	server := httptest.NewServer(s.operations())
	defer server.Close()
	ask := func(method, path string, status int, says string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != status || !strings.Contains(string(body), says) {
			t.Errorf("%s %s: %d %s, %v; want %d and %s", method, path, response.StatusCode, body, err, status, says)
		}
	}
	ask(http.MethodGet, "/healthz", http.StatusOK, `"ok"`)
	ask(http.MethodGet, "/readyz", http.StatusServiceUnavailable, "it is away")
	away = false
	ask(http.MethodGet, "/readyz", http.StatusOK, "that is far")
	ask(http.MethodGet, "/metrics", http.StatusOK, "anteroom_test_total 0")
	ask(http.MethodPost, "/readyz", http.StatusMethodNotAllowed, "")
	ask(http.MethodGet, "/v1/calls", http.StatusNotFound, "")
}

// TestOperationsEndAtOnce: what stops after them must not wait, whoever is connected.
func TestOperationsEndAtOnce(t *testing.T) {
	s := &service{app: app.New(slog.New(slog.DiscardHandler)), metrics: prometheus.NewRegistry(), log: slog.New(slog.DiscardHandler)}
	said := new(buffer)
	s.log = slog.New(slog.NewTextHandler(said, nil))
	s.cfg.Operations.Listen = "127.0.0.1:0"
	if err := s.startOperations(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(said.String(), "address=")
	resp, err := http.Get("http://" + strings.TrimSpace(address) + "/healthz") // its connection stays open
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.app.Stop(app.DefaultStopTimeout); err != nil {
		t.Errorf("the stop: %v", err)
	}
}
