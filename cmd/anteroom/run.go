package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/app"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/embedded"
)

func (c *cli) runCommand() *cobra.Command {
	var data, listen string
	var noDemo bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run all of Anteroom on this machine, with Kafka and ClickHouse of its own",
		Long: `Starts a Kafka broker, ClickHouse and the service on this machine, all of it kept in one data folder, and prints the
address. On a folder without calls it loads two demonstration calls and then has a
meeting played for most of a minute. Ends on SIGINT or SIGTERM within ten seconds, in order; a second
signal ends it at once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			flags := map[string]any{}
			if cmd.Flags().Changed("data") {
				flags["embedded.data"] = data
			}
			if cmd.Flags().Changed("listen") {
				flags["api.listen"] = listen
			}
			if noDemo {
				flags["embedded.demo"] = false
			}
			cfg, err := c.validated(config.Run, flags)
			if err != nil {
				return err
			}
			return c.runAll(cmd.Context(), cfg)
		},
	}
	def := config.Default()
	cmd.Flags().StringVar(&data, "data", def.Embedded.Data, "data `folder` (ANTEROOM_DATA)")
	cmd.Flags().StringVar(&listen, "listen", def.API.Listen, "`host:port` on loopback; port 0 takes a free one (ANTEROOM_LISTEN)")
	cmd.Flags().BoolVar(&noDemo, "no-demo", false, "load no demonstration calls (ANTEROOM_DEMO=off)")
	_ = cmd.MarkFlagDirname("data")
	return cmd
}

// runAll starts everything, waits, and stops what it started, in whatever way it ends.
func (c *cli) runAll(ctx context.Context, cfg config.Config) error {
	began := time.Now()
	log := newLog(c.stderr, cfg.Log)
	a := app.New(log)
	err := c.startAll(ctx, a, log, cfg, began)
	return awaitEnd(ctx, a, log, err)
}

// awaitEnd waits for the end of what has been started, unless the start failed, and stops it.
func awaitEnd(ctx context.Context, a *app.App, log *slog.Logger, err error) error {
	switch {
	case err == nil:
		err = a.Wait(ctx)
	case ctx.Err() != nil:
		err = nil // asked to end while starting
	default:
		return errors.Join(err, a.Stop(app.DefaultStopTimeout))
	}
	log.InfoContext(ctx, "stopping")
	began := time.Now()
	err = errors.Join(err, a.Stop(app.DefaultStopTimeout))
	log.InfoContext(ctx, "stopped", "took", time.Since(began).Round(time.Millisecond))
	return err
}

func (c *cli) startAll(ctx context.Context, a *app.App, log *slog.Logger, cfg config.Config, began time.Time) error {
	_, statErr := os.Stat(clickHouseConfig(cfg).Dir)
	s, err := c.startOnOneMachine(ctx, a, log, cfg)
	if err != nil {
		return err
	}
	link, loaded := "", false
	if s.cfg.Embedded.Demo {
		if link, err = s.makeDemoMeeting(ctx); err != nil {
			return err
		}
		if loaded, err = s.loadDemo(ctx); err != nil {
			return err
		}
	}
	log.InfoContext(ctx, "ready", "url", s.url, "took", time.Since(began).Round(time.Millisecond), "first_start", statErr != nil)
	if err := c.announce(s.url, link); err != nil {
		return err
	}
	if loaded {
		s.playDemo()
	}
	return nil
}

// startOnOneMachine starts the engines and all roles.
func (c *cli) startOnOneMachine(ctx context.Context, a *app.App, log *slog.Logger, cfg config.Config) (*service, error) {
	lock, err := embedded.AcquireLock(cfg.Embedded.Data)
	if err != nil {
		return nil, err
	}
	a.OnStop("lock", func(context.Context) error { return lock.Close() })
	if cfg, err = c.startEngines(ctx, a, log, cfg); err != nil {
		return nil, err
	}
	if err := errors.Join(lock.SetClickHouse(cfg.ClickHouse.Addresses[0]), lock.SetKafka(cfg.Kafka.Brokers[0])); err != nil {
		return nil, err
	}
	if cfg, err = ownKey(cfg); err != nil {
		return nil, err
	}
	if err := c.makeTables(ctx, cfg); err != nil {
		return nil, err
	}
	cfg.Identity.StateFolder = stateFolder(cfg.Embedded)
	cfg = ownFolders(cfg)
	s := &service{cli: c, app: a, cfg: cfg, log: log, development: true}
	s.loading.Store(cfg.Embedded.Demo)
	if err := s.start(ctx, roles(), nil); err != nil {
		return nil, err
	}
	s.awaitKeys(ctx)
	return s, lock.SetURL(s.url)
}

func (c *cli) makeTables(ctx context.Context, cfg config.Config) error {
	defer c.progress("Making the tables")()
	_, err := migrateRegions(ctx, cfg)
	return err
}

// announce tells where the service is, once it is ready, and where there is a meeting to try, if there is one.
func (c *cli) announce(url, meeting string) error {
	text := fmt.Sprintf("Anteroom is ready: %s\n", url)
	if meeting != "" {
		text += fmt.Sprintf("A meeting to try: %s\n  Open it in two windows: sign in as %s in one, type any name in the other.\n", meeting, demoUser)
	}
	return c.print(struct {
		URL     string `json:"url"`
		Meeting string `json:"meeting,omitempty"`
	}{url, meeting}, text)
}
