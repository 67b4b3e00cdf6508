package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/app"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/store"
)

// role is a part of the service that a process may take.
type role string

const (
	roleIngest role = "ingest"
	roleMedia  role = "media"
	roleAPI    role = "api"
)

// roles are all there are.
func roles() []role { return []role{roleIngest, roleMedia, roleAPI} }

func (c *cli) serveCommand() *cobra.Command {
	var names []string
	var migrate bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run roles of Anteroom against a Kafka and a ClickHouse that are there",
		Long: `Runs the given roles against the configured Kafka and ClickHouse: ingest (from Kafka to ClickHouse), media (meetings) and api (HTTP).
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
			return c.serve(cmd.Context(), cfg, roles, migrate)
		},
	}
	cmd.Flags().StringSliceVar(&names, "roles", []string{string(roleIngest), string(roleMedia), string(roleAPI)}, "`roles` to take: ingest, media, api")
	cmd.Flags().BoolVar(&migrate, "migrate", false, "make or update the tables first")
	_ = cmd.RegisterFlagCompletionFunc("roles", cobra.FixedCompletions([]string{"ingest", "media", "api", "ingest,media,api"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func parseRoles(names []string) ([]role, error) {
	var taken []role
	for _, name := range names {
		r := role(strings.TrimSpace(name))
		if !slices.Contains(roles(), r) {
			return nil, fmt.Errorf("%w: --roles: %q is none of ingest, media, api", errConfig, name)
		}
		if !slices.Contains(taken, r) {
			taken = append(taken, r)
		}
	}
	if len(taken) == 0 {
		return nil, fmt.Errorf("%w: --roles: name at least one of ingest, media, api", errConfig)
	}
	return taken, nil
}

func (c *cli) serve(ctx context.Context, cfg config.Config, roles []role, migrate bool) error {
	began := time.Now()
	log := newLog(c.stderr, cfg.Log)
	a := app.New(log)
	s := &service{cli: c, app: a, cfg: cfg, log: log}
	err := func() error {
		if migrate {
			if err := c.makeTables(ctx, cfg); err != nil {
				return err
			}
		} else if err := schemaIsCurrent(ctx, cfg.ClickHouse); err != nil && !errors.Is(err, store.ErrUnavailable) {
			return err // while ClickHouse is away, the service waits for it like at any other time
		}
		return s.start(ctx, roles)
	}()
	if err == nil {
		log.InfoContext(ctx, "ready", "url", s.url, "roles", roles, "took", time.Since(began).Round(time.Millisecond))
		if s.url != "" {
			err = c.announce(s.url, "")
		}
	}
	return awaitEnd(ctx, a, log, err)
}
