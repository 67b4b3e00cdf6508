package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/config"
)

func (c *cli) checkConfigCommand() *cobra.Command {
	var mode string
	cmd := &cobra.Command{
		Use:   "check-config",
		Short: "Read the configuration and say what is wrong with it",
		Long: `Reads the configuration as run and serve do (file, environment) and prints what comes of it, secrets masked.
It is checked for the command that --for names; by default that is serve if kafka.brokers is set, else run.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return c.checkConfig(config.Mode(mode)) },
	}
	cmd.Flags().StringVar(&mode, "for", "", "check it for this `command`: run or serve")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{"run", "serve"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

type checkedConfig struct {
	Valid  bool           `json:"valid"`
	For    config.Mode    `json:"for,omitempty"`
	Errors []string       `json:"errors,omitempty"`
	Config map[string]any `json:"config,omitempty"`
}

func (c *cli) checkConfig(mode config.Mode) error {
	switch mode {
	case "", config.Run, config.Serve:
	default:
		return fmt.Errorf("%w: --for: %q is neither run nor serve", errConfig, mode)
	}
	cfg, mode, err := config.LoadFor(config.Source{File: c.configFile, Environ: c.environ}, mode)
	if err != nil {
		if c.json {
			if err := c.print(checkedConfig{For: mode, Errors: strings.Split(err.Error(), "\n")}, ""); err != nil {
				return err
			}
		}
		return fmt.Errorf("%w:\n%w", errConfig, err)
	}
	text, err := cfg.YAML()
	if err != nil {
		return err
	}
	return c.print(checkedConfig{Valid: true, For: mode, Config: cfg.Masked()}, fmt.Sprintf("# Good for anteroom %s.\n%s", mode, text))
}
