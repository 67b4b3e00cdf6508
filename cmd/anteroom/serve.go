package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/app"
	"github.com/anteroom/anteroom/internal/config"
)

// role is a part of the service that a process may take.
type role string

const (
	roleIngest    role = "ingest"
	roleMedia     role = "media"
	roleRetention role = "retention"
	roleAPI       role = "api"
)

// roles are all there are.
func roles() []role { return []role{roleIngest, roleMedia, roleRetention, roleAPI} }

// rolesText lists them for people, as ingest, media, …
func rolesText() string {
	var names []string
	for _, r := range roles() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

func (c *cli) serveCommand() *cobra.Command {
	var names, regions []string
	var migrate bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run roles of Anteroom against a Kafka and a ClickHouse that are there",
		Long: `Runs the given roles against the configured Kafka and ClickHouse: ingest (from Kafka to ClickHouse, and copies of chat to further regions),
media (meetings), retention (what is due is deleted, and that is proven) and api (HTTP). Ingest and retention work for the regions that --regions names.
The tables must be there and current, see anteroom migrate. Ends on SIGINT or SIGTERM within ten seconds, in order.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			roles, err := parseRoles(names)
			if err != nil {
				return err
			}
			cfg, err := c.validated(config.Serve, nil)
			if err != nil {
				return err
			}
			if regions, err = parseRegions(cfg, regions); err != nil {
				return err
			}
			return c.serve(cmd.Context(), cfg, serving{roles, regions, migrate})
		},
	}
	cmd.Flags().StringSliceVar(&names, "roles", strings.Split(rolesText(), ", "), "`roles` to take: "+rolesText())
	cmd.Flags().StringSliceVar(&regions, "regions", nil, "`regions` to work for (default all that are configured)")
	cmd.Flags().BoolVar(&migrate, "migrate", false, "make or update the tables first")
	_ = cmd.RegisterFlagCompletionFunc("roles", cobra.FixedCompletions(append(strings.Split(rolesText(), ", "), strings.ReplaceAll(rolesText(), ", ", ",")), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func parseRoles(names []string) ([]role, error) {
	var taken []role
	for _, name := range names {
		r := role(strings.TrimSpace(name))
		if !slices.Contains(roles(), r) {
			return nil, fmt.Errorf("%w: --roles: %q is none of %s", errConfig, name, rolesText())
		}
		if !slices.Contains(taken, r) {
			taken = append(taken, r)
		}
	}
	if len(taken) == 0 {
		return nil, fmt.Errorf("%w: --roles: name at least one of %s", errConfig, rolesText())
	}
	return taken, nil
}

// serving is what a process of anteroom serve does.
type serving struct {
	roles []role
	// regions are those whose work it does; none means all.
	regions []string
	// migrate makes or updates the tables first.
	migrate bool
}

func (c *cli) serve(ctx context.Context, cfg config.Config, does serving) error {
	began := time.Now()
	log := newLog(c.stderr, cfg.Log)
	a := app.New(log)
	s := &service{cli: c, app: a, cfg: cfg, log: log}
	err := func() error {
		if does.migrate {
			if err := c.makeTables(ctx, cfg); err != nil {
				return err
			}
		} else if err := tablesAreCurrent(ctx, cfg, does.regions); err != nil {
			return err
		}
		return s.start(ctx, does.roles, does.regions)
	}()
	if err == nil {
		log.InfoContext(ctx, "ready", "url", s.url, "roles", does.roles, "took", time.Since(began).Round(time.Millisecond))
		if s.url != "" {
			err = c.announce(s.url, "")
		}
	}
	return awaitEnd(ctx, a, log, err)
}
