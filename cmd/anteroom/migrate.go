package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/store"
)

func (c *cli) migrateCommand() *cobra.Command {
	var status bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make or update the tables in the configured ClickHouse of each region",
		Long: `Makes the databases that are missing and brings the tables of each node to this program's version. Repeating it is harmless. A region that
is away does not hinder the others; the command fails all the same.
The embedded ClickHouse of anteroom run needs no migrate: run does it by itself.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(nil)
			if err != nil {
				return err
			}
			if err := cfg.ValidateClickHouse(); err != nil {
				return fmt.Errorf("%w:\n%w", errConfig, err)
			}
			if status {
				return c.migrationStatus(cmd.Context(), cfg)
			}
			return c.migrate(cmd.Context(), cfg)
		},
	}
	cmd.Flags().BoolVar(&status, "status", false, "only say how far the tables are")
	return cmd
}

func (c *cli) migrate(ctx context.Context, cfg config.Config) error {
	defer c.progress("Migrating")()
	applied, err := migrateRegions(ctx, cfg)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%d migrations applied.\n", applied)
	if applied == 0 {
		text = "The tables are up to date.\n"
	}
	return c.print(struct {
		Applied int `json:"applied"`
	}{applied}, text)
}

// migrateRegions migrates the databases of all regions at the same time, and returns how many migrations were applied.
func migrateRegions(ctx context.Context, cfg config.Config) (int, error) {
	regions := cfg.AllRegions()
	applied, errs := make([]int, len(regions)), make([]error, len(regions))
	var wg sync.WaitGroup
	for i, r := range regions {
		wg.Go(func() {
			if applied[i], errs[i] = store.Migrate(ctx, r.ClickHouse); errs[i] != nil {
				errs[i] = fmt.Errorf("region %s: %w", r.Name, errs[i])
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range applied {
		sum += n
	}
	return sum, errors.Join(errs...)
}

// nodeState is a region's node.
type nodeState struct {
	Region string `json:"region"`
	store.NodeState
}

func (c *cli) migrationStatus(ctx context.Context, cfg config.Config) error {
	var text strings.Builder
	var states []nodeState
	var errs []error
	for _, r := range cfg.AllRegions() {
		nodes, err := store.MigrationStatus(ctx, r.ClickHouse)
		if err != nil {
			errs = append(errs, fmt.Errorf("region %s: %w", r.Name, err))
		}
		for _, node := range nodes {
			states = append(states, nodeState{r.Name, node})
			fmt.Fprintln(&text, strings.TrimSpace(r.Name+" "+node.Address))
			for _, m := range node.Migrations {
				state := "missing"
				if m.Applied {
					state = "applied"
				}
				fmt.Fprintf(&text, "%-8s %s\n", state, m.File)
			}
		}
	}
	if states == nil {
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, c.print(struct {
		Nodes []nodeState `json:"nodes"`
	}{states}, text.String()))...)
}

// errBehind: the tables are older than the program.
var errBehind = errors.New("the tables are older than this program: run `anteroom migrate`, or start with --migrate")

// schemaIsCurrent refuses tables that are behind: ingest would fail on the first batch, with a worse error.
func schemaIsCurrent(ctx context.Context, cfg store.Config) error {
	nodes, err := store.MigrationStatus(ctx, cfg)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		for _, m := range node.Migrations {
			if !m.Applied {
				return fmt.Errorf("%w (missing: %s)", errBehind, m.File)
			}
		}
	}
	return nil
}
