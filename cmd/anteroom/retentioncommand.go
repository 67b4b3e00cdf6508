package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/journal"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/store"
)

// exitPartial is the exit code of a sweep that left something undone.
const exitPartial = 3

func (c *cli) retentionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retention",
		Short: "Look at what has to be deleted, or delete it now",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.sweepCommand())
	return cmd
}

// sweepFlags are those of the command.
type sweepFlags struct {
	region, data, now string
	dryRun, ahead     bool
}

func (c *cli) sweepCommand() *cobra.Command {
	var f sweepFlags
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "Hide, purge and prove what has to be gone at a moment, or tell what would be",
		Long: `Hides what has to be gone at a moment, purges what no hold keeps, checks that the bytes are gone, and writes the evidence, in each region whose ledger is
here. The role retention does the same all the time; if it runs, this command takes its turn. With --dry-run it tells what would be hidden and purged, by
class, reason and rule, and changes nothing: at any moment, also one that is to come.

Exit codes: 0 done, 1 failed, 2 the command line or the configuration was not understood, 3 something has to be gone and isn't yet (a hold is no such thing).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			if f.now != "" {
				at, err := time.Parse(time.RFC3339Nano, f.now)
				if err != nil {
					return fmt.Errorf("%w: --now: %q is no moment of the form 2026-11-24T08:00:00Z", errConfig, f.now)
				}
				if at.After(now) && !f.dryRun && !f.ahead {
					return fmt.Errorf("%w: --now: %s is to come, and what is deleted too early is gone; add --dry-run, or --ahead-of-time if that is what you want", errConfig, f.now)
				}
				now = at
			}
			cfg, err := c.ledgerConfig(cmd, f.data)
			if err != nil {
				return err
			}
			if cfg.ModeOf() == config.Run && cfg.Recording.Dir == "" {
				cfg.Recording.Dir = recordingsFolder(cfg.Embedded)
			}
			return c.sweep(cmd.Context(), cfg, f, now)
		},
	}
	c.ledgerFlags(cmd, &f.region, &f.data)
	cmd.Flags().StringVar(&f.now, "now", "", "the `moment` to sweep for (default now)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "change nothing, and tell what would go")
	cmd.Flags().BoolVar(&f.ahead, "ahead-of-time", false, "delete also by a moment that is to come")
	return cmd
}

// sweep sweeps region by region. A region that fails keeps the others from nothing.
func (c *cli) sweep(ctx context.Context, cfg config.Config, f sweepFlags, now time.Time) (err error) {
	if _, err := c.ledgers(cfg, f.region, nil); err != nil {
		return err // before an engine is started for nothing
	}
	cfg, end, err := c.lookInto(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	found, err := c.ledgers(cfg, f.region, nil)
	if err != nil {
		return err
	}
	var results []retention.Result
	var errs []error
	for _, of := range found {
		result, err := c.sweepRegion(ctx, cfg, of, f, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("region %s: %w", of.Region(), err))
			continue
		}
		results = append(results, result)
	}
	if err := c.print(struct {
		Regions []retention.Result `json:"regions"`
	}{results}, describeSweeps(results, f.dryRun)); err != nil {
		return err
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i := range results {
		if results[i].Partial {
			return exitError(exitPartial)
		}
	}
	return nil
}

func (c *cli) sweepRegion(ctx context.Context, cfg config.Config, of *ledger.Ledger, f sweepFlags, now time.Time) (_ retention.Result, err error) {
	var tables *store.Store
	for _, r := range cfg.AllRegions() {
		if r.Name == of.Region() {
			if tables, err = store.Open(r.ClickHouse); err != nil {
				return retention.Result{}, err
			}
		}
	}
	if tables == nil {
		return retention.Result{}, errors.New("it is not configured")
	}
	defer tables.Close()
	deps, err := sweeperDeps(cfg, of, tables, newLog(c.stderr, cfg.Log))
	if err != nil {
		return retention.Result{}, err
	}
	deps.Preempt = true
	if !f.dryRun {
		j, err := journal.Open(journalFolder(cfg, of.Region()), journal.Deps{Store: tables, Region: of.Region()})
		if err != nil {
			return retention.Result{}, err
		}
		defer func() { err = errors.Join(err, j.Close()) }()
		deps.Journal = j
	}
	if keeping := c.keepingOf(ctx, cfg, of.Region()); keeping != nil {
		deps.BrokerExpiry = brokerExpiry(keeping)
	}
	sweeper, err := retention.NewSweeper(cfg.Sweep, deps)
	if err != nil {
		return retention.Result{}, err
	}
	defer func() { err = errors.Join(err, sweeper.Close(context.WithoutCancel(ctx))) }()
	defer c.progress("Sweeping " + of.Region())()
	return sweeper.Sweep(ctx, now, f.dryRun)
}

func describeSweeps(results []retention.Result, dryRun bool) string {
	var text strings.Builder
	verb := map[bool]string{false: "", true: "would be "}[dryRun]
	for i := range results {
		r := &results[i]
		fmt.Fprintf(&text, "%s at %s: %d %shidden, %d %spurged", r.Region, r.At.Format(time.RFC3339), r.Hidden, verb, r.Purged, verb)
		if r.HeldBack > 0 {
			fmt.Fprintf(&text, ", %d kept by a hold", r.HeldBack)
		}
		text.WriteString("\n")
		for _, problem := range r.Problems {
			fmt.Fprintf(&text, "  not done: %s\n", problem)
		}
		if len(r.Outlook) == 0 {
			continue
		}
		table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "  class\twhy\trule\tthings\tsince\t")
		for _, line := range r.Outlook {
			note := ""
			if line.Held {
				note = "held"
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\t%d\t%s\t%s\n", line.Class, line.Why, line.Rule, line.Things, line.Oldest.Format(time.RFC3339), note)
		}
		_ = table.Flush() // into memory
	}
	return text.String()
}
