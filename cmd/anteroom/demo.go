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

// loadDemo imports the demonstration calls if there are no others, the same way as any file: over Kafka. What an earlier run was
// cut off from is made up for.
func (s *service) loadDemo(ctx context.Context) error {
	defer s.loading.Store(false)
	wanted, err := s.lacksDemo(ctx)
	if err != nil || !wanted {
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

// lacksDemo tells whether there are no calls but some of the demonstration's.
func (s *service) lacksDemo(ctx context.Context) (bool, error) {
	all := len(demo.Files())
	calls, err := store.NewReader(s.store, store.QueryLimits{}).Calls(ctx, store.CallFilter{}, nil, all)
	if err != nil {
		return false, fmt.Errorf("look for calls: %w", err)
	}
	for _, call := range calls {
		if call.Org != demoOrg {
			return false, nil
		}
	}
	return len(calls) < all, nil
}
