package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/app"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention/backup"
	"github.com/anteroom/anteroom/retention/ledger"
)

func (c *cli) backupCommand() *cobra.Command {
	var region, data string
	var prune bool
	cmd := &cobra.Command{
		Use:   "backup [TO]",
		Short: "Back up the tables of the regions, or delete backups that have expired",
		Long: `Has each region's ClickHouse back up its tables while the service goes on. TO names the backup: it is {name} in backup.destination, by default the
time. Under anteroom run backups lie in backup.folder. A backup is deleted after backup.keep, and reports say until when it may have what was deleted.

Keys for chat, the ledgers' folders and recordings are not in a backup: keep a copy of the ledgers' folders, journals included, elsewhere.

With --prune nothing is backed up: backups that have expired are deleted where that can be done from here, and the others are named. The role retention
does the same every hour. Exit codes: 0 done, 1 failed, 2 the command line or the configuration was not understood, 3 an expired backup is still there.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if prune && len(args) > 0 {
				return fmt.Errorf("%w: --prune: takes no name", errConfig)
			}
			name := backup.DefaultName(time.Now())
			if len(args) > 0 {
				name = args[0]
			}
			cfg, err := c.ledgerConfig(cmd, data)
			if err != nil {
				return err
			}
			return c.withRegions(cmd.Context(), cfg, region, true, func(s *service, regions []*regionRuntime, embedded bool) error {
				if prune {
					return c.pruneBackups(cmd.Context(), s, regions, embedded)
				}
				return c.backup(cmd.Context(), s, regions, embedded, name)
			})
		},
	}
	cmd.Flags().StringVar(&region, "region", "", "the `region` (default all that are configured)")
	cmd.Flags().StringVar(&data, "data", config.Default().Embedded.Data, "data `folder` of anteroom run (ANTEROOM_DATA)")
	_ = cmd.MarkFlagDirname("data")
	cmd.Flags().BoolVar(&prune, "prune", false, "delete backups that have expired")
	return cmd
}

// withRegions connects to the engines of a configuration for as long as do runs. beside: an instance may run on the data folder.
func (c *cli) withRegions(ctx context.Context, cfg config.Config, region string, beside bool, do func(s *service, regions []*regionRuntime, embedded bool) error) (err error) {
	embedded := cfg.ModeOf() == config.Run
	log := newLog(c.stderr, config.Log{Level: "warn", Format: cfg.Log.Format})
	a := app.New(log)
	defer func() { err = errors.Join(err, a.Stop(app.DefaultStopTimeout)) }()
	if cfg, err = c.workWith(ctx, a, log, cfg, beside); err != nil {
		return err
	}
	for _, r := range cfg.AllRegions() {
		if !embedded && cfg.Backup.Destination == "" {
			return fmt.Errorf("%w: backup.destination: is not set", errConfig)
		}
		if err := backupDestination(cfg, r.Name, embedded).Validate(); err != nil {
			return fmt.Errorf("%w: backup.folder: %w", errConfig, err)
		}
	}
	s := &service{cli: c, app: a, cfg: cfg, log: log, ledgers: map[string]*ledger.Ledger{}}
	if err := s.connect(nil); err != nil {
		return err
	}
	var regions []*regionRuntime
	for _, r := range cfg.AllRegions() {
		if region == "" || region == r.Name {
			regions = append(regions, s.regions[r.Name])
		}
	}
	if len(regions) == 0 {
		return fmt.Errorf("%w: --region: %q is none of %s", errConfig, region, strings.Join(regionNames(cfg), ", "))
	}
	found, err := c.ledgers(cfg, region, nil)
	if err != nil && !errors.Is(err, ledger.ErrNone) {
		return err
	}
	for _, l := range found {
		s.ledgers[l.Region()] = l
	}
	return do(s, regions, embedded)
}

func (c *cli) backup(ctx context.Context, s *service, regions []*regionRuntime, embedded bool, name string) error {
	made := []backup.Manifest{}
	var text strings.Builder
	var errs []error
	for _, r := range regions {
		m, err := c.backupOf(ctx, s, r, embedded, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("region %s: %w", r.name, err))
			continue
		}
		made = append(made, m)
		fmt.Fprintf(&text, "%s: %s is backed up; to be deleted at %s\n", r.name, m.Name, m.ExpiresAt.Format(time.RFC3339))
	}
	return errors.Join(append([]error{c.print(struct {
		Backups []backup.Manifest `json:"backups"`
	}{made}, text.String())}, errs...)...)
}

func (c *cli) backupOf(ctx context.Context, s *service, r *regionRuntime, embedded bool, name string) (backup.Manifest, error) {
	defer c.progress("Backing up " + r.name)()
	worker, err := s.regionIngest(r)
	if err != nil {
		return backup.Manifest{}, err
	}
	of := s.backupRegion(r, embedded)
	of.Positions = worker.Positions
	return backup.Make(ctx, of, name)
}

func (c *cli) pruneBackups(ctx context.Context, s *service, regions []*regionRuntime, embedded bool) error {
	all := []backup.Pruned{}
	var text strings.Builder
	var errs []error
	overdue := false
	for _, r := range regions {
		pruned, err := backup.Prune(ctx, s.backupRegion(r, embedded), removeBackup(s.cfg, r.name, embedded))
		if err != nil {
			errs = append(errs, fmt.Errorf("region %s: %w", r.name, err))
		}
		all = append(all, pruned)
		for _, name := range pruned.Gone {
			fmt.Fprintf(&text, "%s: %s is gone\n", r.name, name)
		}
		for _, o := range pruned.Overdue {
			overdue = true
			fmt.Fprintf(&text, "%s: %s expired at %s and is still there: %s\n", r.name, o.Name, o.ExpiresAt.Format(time.RFC3339), o.Reason)
		}
		if err == nil && len(pruned.Gone)+len(pruned.Overdue) == 0 {
			fmt.Fprintf(&text, "%s: no backup has expired\n", r.name)
		}
	}
	err := errors.Join(append([]error{c.print(struct {
		Pruned []backup.Pruned `json:"pruned"`
	}{all}, text.String())}, errs...)...)
	if err == nil && overdue {
		return exitError(exitPartial)
	}
	return err
}
