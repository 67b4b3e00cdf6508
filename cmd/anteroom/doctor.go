package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/app"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/doctor"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/kafka"
)

// exitWarnings: nothing failed, but there is something to look after.
const exitWarnings = 3

// doctorOptions are what the command line says.
type doctorOptions struct {
	data    string
	roles   []string
	timeout time.Duration
	write   bool
}

func (c *cli) doctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what a deployment needs, and say what to do",
		Long: `Looks at the configuration, each region's ClickHouse (migrations, version, disks, replicas, settings of tables) and Kafka (topics), clocks, folders, disks,
keys and certificates, OpenID providers, ledgers and sealing keys, and says of each whether it is ok, a warning, failed, or skipped, and what to do. It changes
nothing, unless --write lets it write a record to a topic of its own. Secrets are never printed.

With a configuration for anteroom serve it looks at the engines that are named there. Otherwise it looks at the data folder: at the Anteroom that runs on it, or, if
none does, at the engines that it starts for it.

Exit codes: 0 all is well, 1 something failed, 2 the command line or the configuration was not understood, 3 there are warnings.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("data") {
				o.data = ""
			}
			return c.doctor(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.data, "data", config.Default().Embedded.Data, "data `folder` of anteroom run (ANTEROOM_DATA)")
	cmd.Flags().StringSliceVar(&o.roles, "roles", strings.Split(rolesText(), ", "), "`roles` that this machine has under anteroom serve")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 15*time.Second, "`time` for each subject; all are looked at at once")
	cmd.Flags().BoolVar(&o.write, "write", false, "write a record to a topic of its own in each region's Kafka, to learn what time it is there")
	_ = cmd.MarkFlagDirname("data")
	return cmd
}

func (c *cli) doctor(ctx context.Context, o doctorOptions) (err error) {
	roles, err := parseRoles(o.roles)
	if err != nil {
		return err
	}
	if o.timeout <= 0 {
		return fmt.Errorf("%w: --timeout: %v is not above zero", errConfig, o.timeout)
	}
	flags := map[string]any{}
	if o.data != "" {
		flags["embedded.data"] = o.data
	}
	var report doctor.Report
	cfg, mode, err := config.LoadFor(config.Source{File: c.configFile, Environ: c.environ, Flags: flags}, "")
	if err != nil {
		report.Configuration(string(mode), strings.Split(err.Error(), "\n"))
		return errors.Join(c.print(reported(report), report.Text()), exitError(exitUsage))
	}
	report.Configuration(string(mode), nil)
	running := true
	if mode == config.Run {
		log := newLog(c.stderr, config.Log{Level: "error", Format: cfg.Log.Format})
		a := app.New(log)
		defer func() { err = errors.Join(err, a.Stop(app.DefaultStopTimeout)) }()
		found, runs, unreachable := c.enginesOfFolder(ctx, a, cfg)
		if unreachable != nil {
			report.Unreachable(unreachable)
			report.Run(ctx, o.timeout, doctor.Files(filesOf(ownedBy(cfg), mode, roles)...))
			return c.endDoctor(report)
		}
		cfg, running = ownedBy(found), runs
	}
	report.Run(ctx, o.timeout, jobsOf(cfg, mode, roles, running, o.write)...)
	return c.endDoctor(report)
}

// reported is the report as JSON has it.
func reported(r doctor.Report) any {
	return struct {
		Status doctor.Status  `json:"status"`
		Checks []doctor.Check `json:"checks"`
	}{r.Worst(), r.Checks}
}

func (c *cli) endDoctor(report doctor.Report) error {
	if err := c.print(reported(report), report.Text()); err != nil {
		return err
	}
	switch report.Worst() {
	case doctor.Failed:
		return exitError(exitFailed)
	case doctor.Warning:
		return exitError(exitWarnings)
	case doctor.OK, doctor.Skipped:
	}
	return nil
}

// enginesOfFolder reaches the engines of the Anteroom that runs on a data folder, or starts them. Unlike workWith it makes no key that is missing.
func (c *cli) enginesOfFolder(ctx context.Context, a *app.App, cfg config.Config) (_ config.Config, running bool, err error) {
	if _, err := os.Stat(clickHouseConfig(cfg).Dir); err != nil {
		return cfg, false, fmt.Errorf("there is no Anteroom in the data folder %s: %w", cfg.Embedded.Data, err)
	}
	broker, brokerUser, brokerPassword, mechanism, err := embedded.RunningKafka(cfg.Embedded.Data)
	if err == nil {
		addr, user, password, err := embedded.RunningClickHouse(cfg.Embedded.Data)
		cfg.Kafka.Brokers = []string{broker}
		cfg.Kafka.SASL = kafka.SASLConfig{Mechanism: mechanism, Username: brokerUser, Password: brokerPassword}
		return reachingClickHouse(cfg, addr, user, password), true, err
	}
	if !errors.Is(err, embedded.ErrNotRunning) {
		return cfg, false, err
	}
	lock, err := embedded.AcquireLock(cfg.Embedded.Data)
	if err != nil {
		return cfg, false, err
	}
	a.OnStop("lock", func(context.Context) error { return lock.Close() })
	cfg, err = c.startEngines(ctx, a, newLog(c.stderr, config.Log{Level: "error", Format: cfg.Log.Format}), cfg)
	return cfg, false, err
}

// ownedBy puts what `anteroom run` keeps in its data folder there.
func ownedBy(cfg config.Config) config.Config {
	cfg = ownFolders(cfg)
	cfg.Identity.StateFolder = stateFolder(cfg.Embedded)
	if cfg.Labelling == (config.Labelling{}) {
		cfg.Labelling.KeyFile = filepath.Join(cfg.Embedded.Data, "labelling-key")
	}
	return cfg
}

// jobsOf are the subjects to look at.
func jobsOf(cfg config.Config, mode config.Mode, roles []role, running, write bool) []doctor.Job {
	var jobs []doctor.Job
	var names []string
	for i, r := range cfg.AllRegions() {
		names = append(names, r.Name)
		jobs = append(jobs, doctor.ClickHouse(r.Name, r.ClickHouse, cfg.Sweep.ClockSkew))
		topics := topicsOf(cfg.Ingest, r.Name, i == 0)
		jobs = append(jobs, doctor.Kafka(r.Name, r.Kafka, doctor.KafkaWants{Topics: topics, Embedded: mode == config.Run, Write: write}))
	}
	jobs = append(jobs, doctor.Files(filesOf(cfg, mode, roles)...), doctor.Directory(cfg.ClickHouse, cfg.Identity, names))
	for _, r := range cfg.AllRegions() {
		if cfg.Ledger.Dir != "" {
			jobs = append(jobs, doctor.Ledger(r.Name, cfg.Ledger, r.ClickHouse, running))
		}
	}
	return append(jobs, doctor.Keys(cfg.ClickHouse, cfg.Sealing, names, running))
}

// filesOf are the files and folders that a configuration names.
func filesOf(cfg config.Config, mode config.Mode, roles []role) []doctor.Path {
	has := func(one ...role) bool {
		return slices.ContainsFunc(one, func(r role) bool { return slices.Contains(roles, r) })
	}
	paths := []doctor.Path{
		{Key: "sealing.dir", Path: cfg.Sealing.Dir, Folder: true, Secret: true, Needed: has(roleIngest), For: "the role ingest", Made: true},
		{Key: "ledger.dir", Path: cfg.Ledger.Dir, Folder: true, Secret: true, Needed: has(roleRetention), For: "the role retention", Made: true},
		{Key: "identity.state_folder", Path: cfg.Identity.StateFolder, Folder: true, Secret: true, Needed: has(roleMedia, roleAPI), For: "the roles media and api", Made: true},
		{Key: "identity.master.file", Path: cfg.Identity.Master.File, Secret: true},
		{Key: "recording.dir", Path: cfg.Recording.Dir, Folder: true, Made: true},
		{Key: "exports.dir", Path: cfg.Exports.Dir, Folder: true, Secret: true, Made: true},
		{Key: "bundles.key_file", Path: cfg.Bundles.KeyFile, Secret: true, Made: mode == config.Run},
		{Key: "labelling.key_file", Path: cfg.Labelling.KeyFile, Secret: true, Needed: has(roleIngest) && cfg.Labelling.Key == "", For: "the role ingest"},
	}
	if mode == config.Run {
		return append(paths, doctor.Path{Key: "embedded.data", Path: cfg.Embedded.Data, Folder: true, Secret: true, Needed: true, For: "anteroom run"})
	}
	connection := func(section string, secret, ca, cert, key string) {
		paths = append(paths,
			doctor.Path{Key: section + ".password_file", Path: secret, Secret: true}, doctor.Path{Key: section + ".tls.ca_file", Path: ca, Certificate: true},
			doctor.Path{Key: section + ".tls.cert_file", Path: cert, Certificate: true}, doctor.Path{Key: section + ".tls.key_file", Path: key, Secret: true})
	}
	for i, r := range cfg.AllRegions() {
		section := ""
		if i > 0 {
			section = fmt.Sprintf("regions[%d].", i-1)
		}
		connection(section+"clickhouse", r.ClickHouse.PasswordFile, r.ClickHouse.TLS.CAFile, r.ClickHouse.TLS.CertFile, r.ClickHouse.TLS.KeyFile)
		connection(section+"kafka", r.Kafka.SASL.PasswordFile, r.Kafka.TLS.CAFile, r.Kafka.TLS.CertFile, r.Kafka.TLS.KeyFile)
	}
	return paths
}
