package main

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/collect"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/ingest/getstats"
	"github.com/anteroom/anteroom/media"
)

// collectAddresses is of how many addresses the rate of connections is kept.
const collectAddresses = 1 << 16

// startCollector starts taking in what clients of other systems measure; nil without the labelling key, without which nothing could be labelled.
func (s *service) startCollector() (*collect.Collector, error) {
	if s.keys == nil {
		return nil, nil
	}
	producer := s.kafka.NewProducer()
	s.app.OnStop("collector's producer", func(context.Context) error { return producer.Close() })
	cfg := s.cfg.Collect
	collector, err := collect.New(cfg, collect.Deps{
		Region: s.cfg.Ingest.Region, Producer: producer, Keys: s.keys, Guests: s.identity, Resources: s.directory,
		Addresses: media.NewAddressLimiter(cfg.ConnectionsPerAddress, cfg.ConnectionBurstPerAddress, collectAddresses),
		AddressOf: func(r *http.Request) netip.Addr { return s.api.ClientOf(r) },
		Log:       s.log.With("room", "collect"), Registry: s.metrics,
	})
	if err != nil {
		return nil, err
	}
	s.app.Go("collector", collector.Run)
	s.endSilent(producer)
	return collector, nil
}

// batches hands the API's batches to the collector, which knows nothing of the API.
type batches struct{ collector *collect.Collector }

func (b batches) Collect(ctx context.Context, in api.StatsBatch) (api.StatsReceipt, error) {
	entries := make([]getstats.Entry, len(in.Entries))
	for i, e := range in.Entries {
		entries[i] = getstats.Entry(e)
	}
	got, err := b.collector.Collect(ctx, collect.Batch{
		Token: in.Token, Session: in.Session, Sequence: in.Sequence, Origin: in.Origin, Own: in.Own, UserAgent: in.UserAgent, Entries: entries, Ended: in.Ended,
	})
	var refused *collect.Refusal
	if errors.As(err, &refused) {
		return api.StatsReceipt{}, asProblem(refused)
	}
	if err != nil {
		return api.StatsReceipt{}, err
	}
	return api.StatsReceipt(got), nil
}

// asProblem translates what the collector refuses.
func asProblem(r *collect.Refusal) error {
	code := api.CodeInternal
	switch r.Reason {
	case collect.ReasonUsed:
		return &identity.Error{Reason: identity.TokenReplayed, Detail: r.Detail}
	case collect.ReasonResource:
		code = api.CodeForbidden
	case collect.ReasonOrigin:
		code = api.CodeCrossOrigin
	case collect.ReasonFull:
		code = api.CodeTooManyRequests
	case collect.ReasonStopping:
		code = api.CodeCollectUnavailable
	case collect.ReasonSequence:
		code = api.CodeSequenceGap
	case collect.ReasonInvalid:
		code = api.CodeInvalidField
	case collect.ReasonUnavailable:
		code = api.CodeNotAcknowledged
	}
	return &api.Error{Code: code, Detail: r.Detail, Field: r.Field}
}
