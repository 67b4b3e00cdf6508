package main

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/sealing"
)

// keysPatience bounds how long `anteroom run` waits for the first keys before it says that it is ready.
const keysPatience = 15 * time.Second

// startKeepers starts the keepers of the keys of each region whose chat this process ingests.
func (s *service) startKeepers() error {
	return s.eachWorkingRegion(func(r *regionRuntime) error {
		if s.cfg.Sealing.Dir == "" {
			return fmt.Errorf("%w: sealing.dir: the role ingest needs a folder for the keys that chat is sealed to, shared by a region's nodes", errConfig)
		}
		var err error
		r.keeper, err = sealing.NewKeeper(s.cfg.Sealing, r.name, sealing.KeeperDeps{
			Home: s.store, Progress: s.progressOf(r), Log: s.log.With("room", "sealing"), Metrics: s.metrics,
		})
		if err != nil {
			return fmt.Errorf("sealing: %w", err)
		}
		s.app.Go("sealing keys"+r.suffix(), r.keeper.Run)
		s.app.OnSideCheck("sealing keys"+r.suffix(), func(context.Context) error { return r.keeper.Check() })
		return nil
	})
}

// startRing follows what keys there are for those who seal. The home region's is needed by every message; a further region's only where it has guests.
func (s *service) startRing() error {
	var err error
	s.ring, err = sealing.NewRing(sealing.RingDeps{Home: s.store, Log: s.log.With("room", "sealing"), Metrics: s.metrics})
	if err != nil {
		return err
	}
	s.app.Go("ring of keys", s.ring.Run)
	for _, r := range s.regions {
		check := s.app.OnSideCheck
		if r.home {
			check = s.app.OnCheck
		}
		check("keys for chat"+r.suffix(), func(context.Context) error { return s.ring.Check(r.name) })
	}
	return nil
}

// awaitKeys waits until what is said in a meeting can be sealed for every region. Without keys it isn't an error: messages are refused until there are some.
func (s *service) awaitKeys(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keysPatience)
	defer cancel()
	names := make([]string, 0, len(s.regions))
	for name := range s.regions {
		names = append(names, name)
	}
	if err := s.ring.Await(ctx, names...); err != nil {
		s.log.WarnContext(ctx, "chat is refused for now: there are no keys to seal it to", "error", err)
	}
}

// sealer is the ring as meetings know it.
type sealer struct{ ring *sealing.Ring }

func (s sealer) Seal(region string, about, text []byte) (keyID string, sealed []byte, err error) {
	got, err := s.ring.Seal(region, about, text)
	return got.KeyID, got.Text, err
}
