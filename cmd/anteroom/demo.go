package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/demo"
	"github.com/anteroom/anteroom/store"
)

// demoOrg is the organisation that hosted the demonstration calls.
const demoOrg = "demo"

// loadDemo imports the demonstration calls if there are no calls, the same way as any file: over Kafka.
func (s *service) loadDemo(ctx context.Context) error {
	defer s.loading.Store(false)
	empty, err := s.hasNoCalls(ctx)
	if err != nil || !empty {
		return err
	}
	defer s.cli.progress("Loading the demonstration calls")()
	for _, file := range demo.Files() {
		request := ingest.ImportRequest{Format: ingest.FormatRTCStats, Org: demoOrg, Body: bytes.NewReader(file.Data)}
		if _, err := s.importer.Import(ctx, request); err != nil {
			return fmt.Errorf("load demonstration call %s: %w", file.Name, err)
		}
	}
	s.log.InfoContext(ctx, "demonstration calls loaded", "files", len(demo.Files()))
	return nil
}

func (s *service) hasNoCalls(ctx context.Context) (bool, error) {
	calls, err := store.NewReader(s.store, store.QueryLimits{}).Calls(ctx, store.CallFilter{}, nil, 1)
	if err != nil {
		return false, fmt.Errorf("look for calls: %w", err)
	}
	return len(calls) == 0, nil
}
