package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention/journal"
	"github.com/anteroom/anteroom/retention/ledger"
)

// ownLedger puts the ledgers into the data folder where no other is configured.
func ownLedger(cfg config.Config) config.Config {
	if cfg.Ledger.Dir == "" {
		cfg.Ledger.Dir = filepath.Join(cfg.Embedded.Data, "ledger")
	}
	return cfg
}

// openLedgers opens the ledgers of all regions. Those whose region this process works for, in the role retention, are made if need be and are
// appended to; the others are there to be read, if they are on this machine.
func (s *service) openLedgers(appends bool) error {
	s.ledgers, s.journals = map[string]*ledger.Ledger{}, map[string]*journal.Journal{}
	ledger.RouteLogs(slog.New(quieter{s.log.With("room", "ledger").Handler()}))
	for _, region := range s.cfg.AllRegions() {
		r := s.regions[region.Name]
		deps := ledger.Deps{Store: r.store, Log: s.log.With("room", "ledger"), Metrics: s.metrics}
		if appends && r.works {
			if s.cfg.Ledger.Dir == "" {
				return fmt.Errorf("%w: ledger.dir: the role retention needs a folder on this machine", errConfig)
			}
			j, err := s.openJournal(r)
			if err != nil {
				return err
			}
			s.journals[r.name], deps.Journal = j, j
			l, err := ledger.Open(s.cfg.Ledger, r.name, deps)
			if err != nil {
				return err
			}
			s.ledgers[r.name] = l
			continue
		}
		if s.cfg.Ledger.Dir == "" {
			continue
		}
		l, err := ledger.OpenExisting(s.cfg.Ledger, r.name, deps)
		switch {
		case errors.Is(err, ledger.ErrNone):
		case err != nil:
			return err
		default:
			s.ledgers[r.name] = l
		}
	}
	return nil
}

// startLedger appends to a region's ledger.
func (s *service) startLedger(r *regionRuntime) {
	s.app.Go("ledger"+r.suffix(), s.ledgers[r.name].Run)
}

// quieter makes what a library tells of its daily work debugging.
type quieter struct{ slog.Handler }

func (q quieter) Enabled(ctx context.Context, level slog.Level) bool {
	return q.Handler.Enabled(ctx, lowered(level))
}

func (q quieter) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lowered(r.Level)
	return q.Handler.Handle(ctx, r)
}

func (q quieter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quieter{q.Handler.WithAttrs(attrs)}
}

func (q quieter) WithGroup(name string) slog.Handler { return quieter{q.Handler.WithGroup(name)} }

func lowered(level slog.Level) slog.Level {
	if level < slog.LevelWarn {
		return min(level, slog.LevelDebug)
	}
	return level
}

// servedLedgers are those that the API shows.
type servedLedgers map[string]*ledger.Ledger

func (s servedLedgers) Key(region string) (string, error) {
	l := s[region]
	if l == nil {
		return "", api.ErrNoLedger
	}
	return l.VerifierKey(), nil
}

func (s servedLedgers) Checkpoint(ctx context.Context, region string) ([]byte, error) {
	l := s[region]
	if l == nil {
		return nil, api.ErrNoLedger
	}
	text, err := l.Checkpoint(ctx)
	if errors.Is(err, ledger.ErrNoCheckpoint) {
		return nil, api.ErrNoLedger
	}
	return text, err
}

func (s servedLedgers) Tile(_ context.Context, region, path string) ([]byte, error) {
	l := s[region]
	if l == nil {
		return nil, api.ErrNoLedger
	}
	content, err := l.Tile(path)
	if errors.Is(err, ledger.ErrNoTile) {
		return nil, api.ErrNoTile
	}
	return content, err
}
