package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/store"
)

// exitFsck is the exit code of fsck for the first kind of finding; the others follow.
const exitFsck = 30

func (c *cli) ledgerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Look at the regions' ledgers, which prove what was stored and deleted",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.ledgerKeyCommand(), c.ledgerFsckCommand())
	return cmd
}

// ledgerFlags are those that both subcommands have.
func (c *cli) ledgerFlags(cmd *cobra.Command, region, data *string) {
	cmd.Flags().StringVar(region, "region", "", "the `region` (default all that have a ledger here)")
	cmd.Flags().StringVar(data, "data", config.Default().Embedded.Data, "data `folder` of anteroom run (ANTEROOM_DATA)")
	_ = cmd.MarkFlagDirname("data")
}

func (c *cli) ledgerKeyCommand() *cobra.Command {
	var region, data string
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Print the key that checkpoints and reports are verified with",
		Long: `Prints the verifier key of a region's ledger, or of all ledgers that are here, each after its region. Hand it to auditors by another way than
the reports themselves: anteroom verify takes it as --key.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.ledgerConfig(cmd, data)
			if err != nil {
				return err
			}
			found, err := c.ledgers(cfg, region, nil)
			if err != nil {
				return err
			}
			keys := map[string]string{}
			var text strings.Builder
			for _, l := range found {
				keys[l.Region()] = l.VerifierKey()
				if region == "" {
					text.WriteString(l.Region() + " ")
				}
				text.WriteString(l.VerifierKey() + "\n")
			}
			return c.print(struct {
				Keys map[string]string `json:"keys"`
			}{keys}, text.String())
		},
	}
	c.ledgerFlags(cmd, &region, &data)
	return cmd
}

func (c *cli) ledgerFsckCommand() *cobra.Command {
	var region, data string
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Check ledgers against themselves and against the tables",
		Long: `Computes the tree of a region's ledger again from its leaves, and checks the checkpoint's signature and root, every hash file, that tables and log
agree on each leaf and its place, that each leaf that was put is in the log once or waits, and that what the tables have of each batch of stored or
deleted things gives the root that the log has. It changes nothing, and may be run beside the service.

Exit codes: 0 all is well, 1 it couldn't be looked at, 2 the command line or the configuration was not understood; of what is wrong the first:
30 checkpoint, 31 tree, 32 leaf, 33 entry, 34 outbox, 35 batch.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.ledgerConfig(cmd, data)
			if err != nil {
				return err
			}
			return c.fsck(cmd.Context(), cfg, region)
		},
	}
	c.ledgerFlags(cmd, &region, &data)
	return cmd
}

// ledgerConfig reads the configuration, with the data folder's ledgers where none are configured.
func (c *cli) ledgerConfig(cmd *cobra.Command, data string) (config.Config, error) {
	flags := map[string]any{}
	if cmd.Flags().Changed("data") {
		flags["embedded.data"] = data
	}
	cfg, err := c.load(flags)
	if err != nil {
		return cfg, err
	}
	if cfg.ModeOf() == config.Run {
		return ownLedger(cfg), nil
	}
	if cfg.Ledger.Dir == "" {
		return cfg, fmt.Errorf("%w: ledger.dir: is not set", errConfig)
	}
	return cfg, nil
}

// regionNames are those of a configuration before its engines are reached.
func regionNames(cfg config.Config) []string {
	var names []string
	for _, r := range cfg.AllRegions() {
		names = append(names, r.Name)
	}
	if cfg.ModeOf() == config.Run {
		for _, name := range cfg.Embedded.Regions {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// ledgers opens the ledger of a region, or all that are here.
func (c *cli) ledgers(cfg config.Config, region string, stores map[string]*store.Store) ([]*ledger.Ledger, error) {
	names := regionNames(cfg)
	if region != "" {
		if !slices.Contains(names, region) {
			return nil, fmt.Errorf("%w: --region: %q is none of %s", errConfig, region, strings.Join(names, ", "))
		}
		names = []string{region}
	}
	var found []*ledger.Ledger
	var missing error
	for _, name := range names {
		l, err := ledger.OpenExisting(cfg.Ledger, name, ledger.Deps{Store: stores[name]})
		switch {
		case errors.Is(err, ledger.ErrNone):
			missing = fmt.Errorf("%s: %w", folderKey(cfg), err)
		case err != nil:
			return nil, err
		default:
			found = append(found, l)
		}
	}
	if len(found) == 0 {
		return nil, missing
	}
	return found, nil
}

// folderKey is what names the folder of the ledgers.
func folderKey(cfg config.Config) string {
	if cfg.ModeOf() == config.Run {
		return "--data"
	}
	return "ledger.dir"
}

func (c *cli) fsck(ctx context.Context, cfg config.Config, region string) (err error) {
	if _, err := c.ledgers(cfg, region, nil); err != nil {
		return err // before an engine is started for nothing
	}
	cfg, end, err := c.lookInto(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	stores := map[string]*store.Store{}
	defer func() {
		for _, s := range stores {
			_ = s.Close()
		}
	}()
	for _, r := range cfg.AllRegions() {
		if stores[r.Name], err = store.Open(r.ClickHouse); err != nil {
			delete(stores, r.Name)
			return fmt.Errorf("region %s: %w", r.Name, err)
		}
	}
	found, err := c.ledgers(cfg, region, stores)
	if err != nil {
		return err
	}
	var all []ledger.Checked
	var text strings.Builder
	for _, l := range found {
		show := c.newSteps("Checking the ledger of " + l.Region())
		checked, err := l.Fsck(ctx, show.at)
		show.end(err)
		if err != nil {
			return err
		}
		all = append(all, checked)
		describe(&text, checked)
	}
	if err := c.print(struct {
		Ledgers []ledger.Checked `json:"ledgers"`
	}{all}, text.String()); err != nil {
		return err
	}
	return fsckCode(all)
}

func describe(text *strings.Builder, c ledger.Checked) {
	fmt.Fprintf(text, "%s: %d leaves, %d waiting, %d without entry yet; %d batches of %d things\n", c.Origin, c.Size, c.Waiting, c.Unrecorded, c.Batches, c.Things)
	if c.Forgotten > 0 {
		fmt.Fprintf(text, "  %d leaves are in the log that the tables don't know as put: they were restored from an older backup\n", c.Forgotten)
	}
	for _, f := range c.Findings {
		fmt.Fprintf(text, "  %s\n", f)
	}
	switch {
	case c.More > 0:
		fmt.Fprintf(text, "  and %d more\n", c.More)
	case len(c.Findings) == 0:
		text.WriteString("  all is well\n")
	}
}

// fsckCode is the exit code of what was found.
func fsckCode(all []ledger.Checked) error {
	for code, kind := range ledger.FindingKinds() {
		for _, c := range all {
			if slices.ContainsFunc(c.Findings, func(f ledger.Finding) bool { return f.Kind == kind }) {
				return exitError(exitFsck + code)
			}
		}
	}
	return nil
}
