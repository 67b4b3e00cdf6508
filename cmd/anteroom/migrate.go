package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/store"
)

func (c *cli) migrateCommand() *cobra.Command {
	var status bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make or update the tables in the configured ClickHouse",
		Long: `Makes the database if it is missing and brings the tables of each node to this program's version. Repeating it is harmless.
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
	applied, err := store.Migrate(ctx, cfg.ClickHouse)
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

func (c *cli) migrationStatus(ctx context.Context, cfg config.Config) error {
	nodes, err := store.MigrationStatus(ctx, cfg.ClickHouse)
	if err != nil && nodes == nil {
		return err
	}
	var text strings.Builder
	for _, node := range nodes {
		if node.Address != "" {
			fmt.Fprintf(&text, "%s\n", node.Address)
		}
		for _, m := range node.Migrations {
			state := "missing"
			if m.Applied {
				state = "applied"
			}
			fmt.Fprintf(&text, "%-8s %s\n", state, m.File)
		}
	}
	return errors.Join(err, c.print(struct {
		Nodes []store.NodeState `json:"nodes"`
	}{nodes}, text.String()))
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
