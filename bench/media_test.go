package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/media/load"
	"github.com/anteroom/anteroom/media/protocol"
)

// TestRelay_CarriesTheLoad: what Anteroom's media is compared with does its work, on one port and on many.
func TestRelay_CarriesTheLoad(t *testing.T) {
	for name, onePort := range map[string]bool{"one port": true, "a port for each connection": false} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			folder := filepath.Join(t.TempDir(), "data")
			served := make(chan error, 1)
			go func() { served <- serveRelay(ctx, folder, onePort) }()
			url, err := awaitServer(ctx, folder)
			if err != nil {
				t.Fatal(err)
			}
			cfg := load.DefaultConfig()
			cfg.URL, cfg.Publishers, cfg.Subscribers, cfg.Duration, cfg.Ramp = url, 2, 3, time.Second, 0
			got, err := load.Run(ctx, cfg, func(context.Context, int) (protocol.Join, error) { return protocol.Join{}, nil })
			if err != nil {
				t.Fatal(err)
			}
			if got.Joined != 5 || got.Streams != 12 || got.Delivered == 0 {
				t.Errorf("%d of 5 joined, %d of 12 streams, %d packets were delivered", got.Joined, got.Streams, got.Delivered)
			}
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMediaResult_TellsTheRatioOfEachRound(t *testing.T) {
	result := func(us float64) load.Result {
		return load.Result{ServerUsPerPkt: &us, Delivered: 990, Lost: 10, PacketsPerSecond: 5000, LoadAverage: "0.50"}
	}
	l := mediaLoad{1, 40}
	r := &mediaResult{loads: []mediaLoad{l}, rounds: map[mediaLoad]map[string][]load.Result{l: {
		mediaAnteroom: {result(11), result(30), result(12)}, mediaRelay: {result(10), result(20), result(10)},
		mediaLiveKit: {result(25), result(40), result(30)},
	}}}
	for _, want := range []string{
		"| 1 × 40 | Anteroom | 12.00 | 11.00–30.00 | 83333 | 1.20 | 1.10–1.50 | 5000 | 30 of 3000 | 0.5–0.5 |",
		"| 1 × 40 | pion relay | 10.00 | 10.00–20.00 | 100000 | 1 |  | 5000 | 30 of 3000 | 0.5–0.5 |",
		"| 1 × 40 | LiveKit | 30.00 | 25.00–40.00 | 33333 | 2.50 | 2.00–3.00 | 5000 | 30 of 3000 | 0.5–0.5 |",
	} {
		if !strings.Contains(r.markdown(), want) {
			t.Errorf("the table lacks the line\n%s\n%s", want, r.markdown())
		}
	}
}
