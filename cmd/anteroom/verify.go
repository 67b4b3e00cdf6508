package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/retention/verify"
)

func (c *cli) verifyCommand() *cobra.Command {
	var key, previous string
	cmd := &cobra.Command{
		Use:   "verify BUNDLE",
		Short: "Check a report offline, without trusting whoever made it",
		Long: `Checks the bundle of a report, a folder or a zip, against the ledger's key and nothing else: that the manifest is signed and every file is what it
says, that each deletion is proven by the log and no stored thing was left out, that counts and tables are those of the rows, and that the log only grew
since an earlier checkpoint. It needs no network, no configuration and no service; docs/report-format.md says what it checks, and how to do it by hand.

KEY is what anteroom ledger key prints, or a file that has it; get it by another way than the bundle. --previous is an earlier report's checkpoint or bundle.

Exit codes: 0 all of it holds, 1 it couldn't be looked at, 2 the command line was not understood; of what doesn't hold the first: 10 no bundle, 11 manifest,
12 its signature, 13 sums, 14 checkpoint, 15 lines, 16 a deletion isn't proven, 17 incomplete, 18 counts, 19 rows.csv, 20 earlier checkpoint.`,
		Example: `  anteroom verify report.zip --key auditor/emea.key --previous last-month.zip`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt, err := verifyOptions(key, previous)
			if err != nil {
				return err
			}
			return c.verify(cmd.Context(), args[0], opt)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "verifier `key` of the ledger, or a file with it (required)")
	cmd.Flags().StringVar(&previous, "previous", "", "earlier `checkpoint` or bundle that the log must have grown from")
	return cmd
}

func verifyOptions(key, previous string) (verify.Options, error) {
	opt := verify.Options{Key: strings.TrimSpace(key)}
	if text, err := os.ReadFile(key); err == nil {
		opt.Key = strings.TrimSpace(string(text))
	}
	if key == "" {
		return opt, fmt.Errorf("%w: --key: is missing; it comes by another way than the bundle", errConfig)
	}
	if err := proof.CheckKey(opt.Key); err != nil {
		return opt, fmt.Errorf("%w: --key: %w", errConfig, err)
	}
	if previous != "" {
		var err error
		if opt.Earlier, err = verify.ReadEarlier(previous); err != nil {
			return opt, fmt.Errorf("--previous: %w", err)
		}
	}
	return opt, nil
}

func (c *cli) verify(ctx context.Context, path string, opt verify.Options) error {
	show := c.newSteps("Verifying " + path)
	opt.Progress = func(done, total uint64) { show.at("bytes", done, total) }
	result, err := verify.Bundle(ctx, path, opt)
	show.end(err)
	if err != nil {
		return err
	}
	if err := c.print(result, verdict(path, &result)); err != nil {
		return err
	}
	if code := result.ExitCode(); code != 0 {
		return exitError(code)
	}
	return nil
}

// verdict tells a person what came of it.
func verdict(path string, r *verify.Result) string {
	var text strings.Builder
	m := &r.Manifest
	if m.ID != "" {
		whose := "all organisations"
		if m.Query.Organization != "" {
			whose = plain(m.Query.Organization)
		}
		fmt.Fprintf(&text, "Report %s (%s) of %s in %s, sent from %s to %s, made %s\n", plain(m.ID), plain(string(m.Kind)), whose, plain(m.Region), day(m.Query.From), day(m.Query.To), day(m.MadeAt))
		if m.Kind == proof.ReportRetention {
			n := m.Counts
			fmt.Fprintf(&text, "  %d rows: %d stored, %d superseded, %d due, %d hidden, %d purged, %d born expired, %d unknown; %d held, %d overdue, %d late\n",
				n.Rows, n.Stored, n.Superseded, n.Due, n.Hidden, n.Purged, n.BornExpired, n.Unknown, n.Held, n.Overdue, n.Late)
		}
		fmt.Fprintf(&text, "  log %s, %d leaves, root %x\n", plain(m.Log.Origin), m.Log.Size, m.Log.Root)
	}
	if r.OK {
		switch m.Kind {
		case proof.ReportRetention:
			fmt.Fprintf(&text, "  %d deletions proven, %d batches computed again", r.Deleted, r.Batches)
		case proof.ReportChanges:
			fmt.Fprintf(&text, "  %d changes proven by the log; what else is in it is the operator's word, signed", r.Changes)
		default:
			text.WriteString("  what is in it is the operator's word, signed")
		}
		if r.Complete {
			fmt.Fprintf(&text, ", nothing stored was left out (from leaf %d on)", r.CoveredFrom)
		}
		if r.Since != nil {
			fmt.Fprintf(&text, ", the log only grew since it had %d leaves", *r.Since)
		}
		text.WriteString("\n")
		for _, note := range r.Notes {
			fmt.Fprintf(&text, "  note: %s\n", plain(note))
		}
		fmt.Fprintf(&text, "%s: all of it holds\n", path)
		return text.String()
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&text, "  %s\n", f)
	}
	if r.More > 0 {
		fmt.Fprintf(&text, "  and %d more\n", r.More)
	}
	fmt.Fprintf(&text, "%s: NOT VERIFIED\n", path)
	return text.String()
}

// plain is text of a bundle as it can be shown on a terminal.
func plain(text string) string { return verify.Printable(text) }

func day(t proof.Time) string { return time.Time(t).UTC().Format("2006-01-02 15:04 UTC") }
