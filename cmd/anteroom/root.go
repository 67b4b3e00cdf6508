package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/config"
)

// The exit codes of every subcommand.
const (
	exitFailed = 1
	exitUsage  = 2
)

// cli is what the subcommands share: the process's surroundings and the flags that all of them have.
type cli struct {
	// environ is all of the environment, not a look-up: unknown variables are to be refused.
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer

	configFile string
	json       bool
	// begun tells that the command line was understood.
	begun bool
}

// errConfig marks a command line or a configuration that can't be used.
var errConfig = errors.New("the command line or the configuration can't be used")

// errSaid ends a subcommand that has already said on stderr what went wrong.
var errSaid = errors.New("failed")

// exitError ends a subcommand that has already said what it found, with an exit code of its own.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// run is main but for the process around it; it returns the exit code.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{environ: environ, stdin: stdin, stdout: stdout, stderr: stderr}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var own exitError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSaid):
		return exitFailed
	case errors.As(err, &own):
		return int(own)
	case !c.begun:
		fmt.Fprintf(stderr, "anteroom: %v\nRun `anteroom help` for how it is used.\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "anteroom: %v\n", err)
	if errors.Is(err, errConfig) {
		return exitUsage
	}
	return exitFailed
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "anteroom",
		Short: "Compliance, diagnostics and retention for meetings that anonymous guests join",
		Long: `Anteroom is the compliance, diagnostics and retention service for meetings that anonymous guests join.

Exit codes: 0 done, 1 failed, 2 the command line or the configuration was not understood; some commands have more, see their help.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRun:  func(*cobra.Command, []string) { c.begun = true },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.PersistentFlags().StringVar(&c.configFile, "config", "", "configuration `file` (default: what "+config.FileEnv+" names, or none)")
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print the result as JSON")
	root.AddCommand(c.runCommand(), c.serveCommand(), c.migrateCommand(), c.importCommand(), c.exportCommand(), c.tokenCommand(), c.loadCommand(), c.ledgerCommand(), c.verifyCommand(), c.policyCommand(), c.retentionCommand(), c.backupCommand(), c.restoreCommand(), c.checkConfigCommand(), c.doctorCommand(), c.versionCommand())
	return root
}

// load reads the configuration, with what flags say over it.
func (c *cli) load(flags map[string]any) (config.Config, error) {
	cfg, err := config.Load(config.Source{File: c.configFile, Environ: c.environ, Flags: flags})
	if err != nil {
		return config.Config{}, fmt.Errorf("%w:\n%w", errConfig, err)
	}
	return cfg, nil
}

// validated reads the configuration for a mode.
func (c *cli) validated(mode config.Mode, flags map[string]any) (config.Config, error) {
	cfg, _, err := config.LoadFor(config.Source{File: c.configFile, Environ: c.environ, Flags: flags}, mode)
	if err != nil {
		return config.Config{}, fmt.Errorf("%w:\n%w", errConfig, err)
	}
	return cfg, nil
}

// print writes a result: as JSON if asked to, else as text.
func (c *cli) print(result any, text string) error {
	if !c.json {
		_, err := io.WriteString(c.stdout, text)
		return err
	}
	encoder := json.NewEncoder(c.stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(result)
}

func newLog(w io.Writer, cfg config.Log) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.SlogLevel()}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
