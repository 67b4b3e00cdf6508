package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/app"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/backup"
	"github.com/anteroom/anteroom/retention/journal"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
)

const (
	// restoreLook is the pause between two looks at how far ingest is.
	restoreLook = 200 * time.Millisecond
	// restoreSweeps is how often what has to be gone is tried to be deleted, with pauses of restoreSweepPause, before the restore is given up for now.
	restoreSweeps     = 30
	restoreSweepPause = 2 * time.Second
)

func (c *cli) restoreCommand() *cobra.Command {
	var region, data string
	var replace bool
	cmd := &cobra.Command{
		Use:   "restore FROM",
		Short: "Restore the tables of the regions from a backup",
		Long: `Restores the tables that anteroom backup FROM has backed up, region by region, home first. What was deleted since is in the backup, so before
anybody may read the tables, what the journal has and what Kafka still has is put into them, and all that has to be gone is deleted again. Until then the
region is out of service: run and serve refuse to start, and what runs says that it has no database. If it is cut short, call it again.

It has to run on the machine that has the ledgers' folders, with the configuration of the roles ingest and retention, and neither of these roles may run
for the region meanwhile (anteroom run must be stopped). Other regions are not touched. Rows that are there now are replaced with --replace only.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := c.ledgerConfig(cmd, data)
			if err != nil {
				return err
			}
			if cfg.ModeOf() == config.Run {
				cfg = ownFolders(cfg)
			}
			return c.withRegions(cmd.Context(), cfg, region, false, func(s *service, regions []*regionRuntime, embedded bool) error {
				return c.restore(cmd.Context(), s, regions, embedded, args[0], replace)
			})
		},
	}
	cmd.Flags().StringVar(&region, "region", "", "the `region` (default all that are configured)")
	cmd.Flags().StringVar(&data, "data", config.Default().Embedded.Data, "data `folder` of anteroom run (ANTEROOM_DATA)")
	_ = cmd.MarkFlagDirname("data")
	cmd.Flags().BoolVar(&replace, "replace", false, "replace rows that are there")
	return cmd
}

// ownFolders are those of the data folder where no others are configured.
func ownFolders(cfg config.Config) config.Config {
	if cfg.Recording.Dir == "" {
		cfg.Recording.Dir = recordingsFolder(cfg.Embedded)
	}
	if cfg.Sealing.Dir == "" {
		cfg.Sealing.Dir = filepath.Join(cfg.Embedded.Data, "keys")
	}
	return ownBundleKey(ownExports(ownLedger(cfg)))
}

func (c *cli) restore(ctx context.Context, s *service, regions []*regionRuntime, embedded bool, name string, replace bool) error {
	done := []backup.Restored{}
	var text strings.Builder
	var failed error
	for _, r := range regions {
		restored, err := c.restoreRegion(ctx, s, r, embedded, name, replace)
		if errors.Is(err, store.ErrNotEmpty) {
			err = fmt.Errorf("%w: they would be lost; add --replace if that is what you want", err)
		}
		if err != nil {
			failed = err // further regions are decided on by what is at home
			break
		}
		done = append(done, restored)
		fmt.Fprintf(&text, "%s: restored as of %s; %d things that were gone have come back and are gone again\n", r.name, restored.MadeAt.Format(time.RFC3339), restored.Returned)
		for _, lost := range restored.Lost {
			fmt.Fprintf(&text, "  Kafka has no more: %d records of %s, partition %d\n", lost.Records, lost.Topic, lost.Partition)
		}
	}
	return errors.Join(c.print(struct {
		Restored []backup.Restored `json:"restored"`
	}{done}, text.String()), failed)
}

func (c *cli) restoreRegion(ctx context.Context, s *service, r *regionRuntime, embedded bool, name string, replace bool) (backup.Restored, error) {
	l := s.ledgers[r.name]
	if l == nil {
		return backup.Restored{}, fmt.Errorf("restore region %s: %w in %s", r.name, ledger.ErrNone, s.cfg.Ledger.Dir)
	}
	worker, err := s.regionIngest(r)
	if err != nil {
		return backup.Restored{}, err
	}
	in := inside{cli: c, outside: s, region: r.name, ledger: l}
	show := func() {}
	defer func() { show() }()
	return backup.Restore(ctx, backup.From{
		Region: s.backupRegion(r, embedded), Journal: journalFolder(s.cfg, r.name), IDKey: l.IDKey(),
		Ledger: func(ctx context.Context) (uint64, error) {
			at, err := l.Published(ctx)
			if errors.Is(err, ledger.ErrNoCheckpoint) {
				return 0, nil
			}
			return at.Size, err
		},
		Steps: backup.Steps{
			Idle: worker.Idle, Ingest: in.ingest, Decide: in.decide, Sweep: in.sweep,
			Told: func(what string) {
				show()
				show = c.progress("Restoring " + r.name + ": " + what)
			},
		},
	}, name, replace)
}

// inside works with a region's tables while they are restored, as the service's roles will: with all that the service has, but these tables in their place.
type inside struct {
	cli     *cli
	outside *service
	region  string
	ledger  *ledger.Ledger
}

// with makes a service whose tables of the region are the restored ones, for as long as do runs.
func (i inside) with(ctx context.Context, tables store.Config, do func(ctx context.Context, s *service, r *regionRuntime) error) (err error) {
	a := app.New(i.outside.log)
	defer func() { err = errors.Join(err, a.Stop(app.DefaultStopTimeout)) }()
	cfg := i.outside.cfg
	if cfg.Ingest.Region == i.region {
		cfg.ClickHouse = tables
	}
	cfg.Regions = append([]config.Region{}, cfg.Regions...)
	for n := range cfg.Regions {
		if cfg.Regions[n].Name == i.region {
			cfg.Regions[n].ClickHouse = tables
		}
	}
	s := &service{cli: i.cli, app: a, cfg: cfg, log: i.outside.log, ledgers: i.outside.ledgers}
	if err := s.connect([]string{i.region}); err != nil {
		return err
	}
	return a.While(ctx, func(ctx context.Context) error { return do(ctx, s, s.regions[i.region]) })
}

// ingest ingests until all that Kafka had at first is stored.
func (i inside) ingest(ctx context.Context, tables store.Config, from []store.Position) (lost []backup.Lost, err error) {
	err = i.with(ctx, tables, func(ctx context.Context, s *service, r *regionRuntime) error {
		if s.cfg.Sealing.Dir != "" {
			// It opens what keys are still there for. None is made or destroyed meanwhile.
			if r.keeper, err = sealing.NewKeeper(s.cfg.Sealing, r.name, sealing.KeeperDeps{Home: s.store, Progress: s.progressOf(r), Log: s.log}); err != nil {
				return err
			}
		}
		worker, err := s.regionIngest(r)
		if err != nil {
			return err
		}
		ends, gaps, err := worker.Rewind(ctx, from)
		if err != nil {
			return err
		}
		for _, gap := range gaps {
			lost = append(lost, backup.Lost{Position: gap.Position, Records: gap.Records})
		}
		s.app.Go("ingest", worker.Run)
		for {
			reached, err := worker.Reached(ctx, ends)
			if err != nil || reached {
				return err
			}
			if !pause(ctx, restoreLook) {
				return ctx.Err()
			}
		}
	})
	return lost, err
}

func (i inside) decide(ctx context.Context, tables store.Config) error {
	return i.with(ctx, tables, func(ctx context.Context, s *service, _ *regionRuntime) error {
		_, err := s.decideNow(ctx)
		return err
	})
}

// decideNow decides on everything.
func (s *service) decideNow(ctx context.Context) (*retention.Decider, error) {
	decider, err := s.newDecider()
	if err != nil {
		return nil, err
	}
	select {
	case <-s.directory.Ready():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	_, err = decider.Pass(ctx, time.Now())
	return decider, err
}

// sweep deletes until nothing is left that has to be gone.
func (i inside) sweep(ctx context.Context, tables store.Config, j *journal.Journal) (purged uint64, err error) {
	err = i.with(ctx, tables, func(ctx context.Context, s *service, r *regionRuntime) error {
		decider, err := s.decideNow(ctx)
		if err != nil {
			return err
		}
		s.app.Go("retention decisions", decider.Run) // holds that come meanwhile count
		deps, err := sweeperDeps(s.cfg, i.ledger, r.store, s.log)
		if err != nil {
			return err
		}
		deps.Journal = j
		if keeping := i.cli.keepingOf(ctx, s.cfg, r.name); keeping != nil {
			deps.BrokerExpiry = brokerExpiry(keeping)
		}
		sweeper, err := retention.NewSweeper(s.cfg.Sweep, deps)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, sweeper.Close(context.WithoutCancel(ctx))) }()
		for attempt := 1; ; attempt++ {
			result, err := sweeper.Sweep(ctx, time.Now(), false)
			purged += result.Purged
			switch {
			case err != nil:
				return err
			case !result.Partial:
				return nil
			case attempt == restoreSweeps:
				return fmt.Errorf("something has to be gone and isn't: %s", strings.Join(result.Problems, "; "))
			}
			if !pause(ctx, restoreSweepPause) {
				return ctx.Err()
			}
		}
	})
	return purged, err
}
