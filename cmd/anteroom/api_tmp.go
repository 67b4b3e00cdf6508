package main

import (
	"context"

	"github.com/anteroom/anteroom/ingest"
)

func (s *service) startAPI(ctx context.Context) error {
	s.importer = newImporter(s)
	return nil
}

func newImporter(s *service) *ingest.Importer {
	return ingest.NewImporter(s.cfg.Ingest, ingest.Deps{Kafka: s.kafka, Store: s.store, Keys: s.keys, Metrics: s.metrics, Log: s.log})
}
