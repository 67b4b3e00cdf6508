package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/internal/config"
)

// remoteOptions say whose policy is meant, and where.
type remoteOptions struct {
	server, org, data, tokenFile, message string
	// revision to pull; expected has to be active for a change, unless it is negative.
	revision, expected int
	activate           bool
}

// policyRemoteCommands are those that work with a running Anteroom.
func (c *cli) policyRemoteCommands() []*cobra.Command {
	return []*cobra.Command{c.policyPushCommand(), c.policyPullCommand(), c.policyActivateCommand(), c.policyRollbackCommand()}
}

func (o *remoteOptions) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.server, "server", "http://127.0.0.1:8480", "`URL` of the running Anteroom")
	flags.StringVar(&o.org, "org", demoOrg, "`organisation` whose policy is meant")
	flags.StringVar(&o.tokenFile, "token-file", "", "`file` with a token of a policy author of the organisation; - is standard input")
	flags.StringVar(&o.data, "data", config.Default().Embedded.Data, "data `folder` of an Anteroom on this machine, which needs no token then")
	_ = cmd.MarkFlagDirname("data")
}

func (c *cli) policyPushCommand() *cobra.Command {
	var o remoteOptions
	cmd := &cobra.Command{
		Use:   "push [FOLDER]",
		Short: "Make a revision of a folder",
		Long: `Makes a revision of the policy in a folder, and prints its number. It decides nothing before it is activated. What is active already, file by file, is not
made again: that is no failure, so that a pipeline may push whatever it has.

Exit codes: 0 done, 1 the server refused, for a mistake in the policy or else, 2 the command line was not understood.`,
		Example: `  anteroom policy push --message "$(git log -1 --format=%s)" --activate --org contoso --server https://meet.example.org --token-file token`,
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.policyPush(cmd.Context(), o, folderOf(args)) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.message, "message", "", "why, for people to `read`; needed")
	cmd.Flags().BoolVar(&o.activate, "activate", false, "activate it as well")
	o.expect(cmd)
	return cmd
}

func (c *cli) policyPullCommand() *cobra.Command {
	var o remoteOptions
	cmd := &cobra.Command{
		Use:   "pull [FOLDER]",
		Short: "Write a revision's files into a folder",
		Long: `Writes the files of the active revision, or of another one, into a folder. Files of the folder that the revision doesn't have are named and left. Where there are no
files, since the base policy decides alone, it says so and exits with 1.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.policyPull(cmd.Context(), o, folderOf(args)) },
	}
	o.flags(cmd)
	cmd.Flags().IntVar(&o.revision, "revision", 0, "`number` of the revision (default the active one)")
	return cmd
}

func (c *cli) policyActivateCommand() *cobra.Command {
	var o remoteOptions
	cmd := &cobra.Command{
		Use:   "activate NUMBER",
		Short: "Have a revision decide",
		Long: `Has a revision decide, from the answer on and without a restart. Its tests must pass and cover as much as the organisation asks for, and decisions must be
quick. 0 is the base policy alone.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.policyChange(cmd.Context(), o, "activate", "revision", args[0])
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.message, "message", "", "why, for people to `read`")
	o.expect(cmd)
	return cmd
}

func (c *cli) policyRollbackCommand() *cobra.Command {
	var o remoteOptions
	cmd := &cobra.Command{
		Use:   "rollback NUMBER",
		Short: "Go back to a revision that was active before",
		Long:  `Makes a new revision of the content of one that was active before, and has it decide. 0 is the base policy alone.`,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.policyChange(cmd.Context(), o, "rollback", "to", args[0])
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.message, "message", "", "why, for people to `read`")
	o.expect(cmd)
	return cmd
}

// policyDeskOf is the server's side of an organisation's policy.
func (c *cli) policyDeskOf(o remoteOptions) (*policyClient, error) {
	base, err := serverURL(o.server)
	if err != nil {
		return nil, err
	}
	if !event.ValidOrg(o.org) {
		return nil, fmt.Errorf("%w: --org: %q must be 1 to 63 of a-z, 0-9, '_', '.', '-', starting with a letter or digit", errConfig, o.org)
	}
	client := &policyClient{base: base.JoinPath("v1/policies", o.org)}
	client.token, err = c.serverToken(o.server, o.tokenFile, tokenOptions{data: o.data, org: o.org, user: "policy_author", roles: []string{string(identity.PolicyAuthor)}})
	return client, err
}

// expect is the flag of what changes what is active.
func (o *remoteOptions) expect(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.expected, "expect", -1, "change it only if this `revision` is active still: nothing that somebody else activated is replaced unseen")
}

// expectedOf tells what is active, unless it is not what the caller expects.
func (p *policyClient) expectedOf(ctx context.Context, expected int) (activePolicy, error) {
	active, err := p.active(ctx)
	if err == nil && expected >= 0 && active.Revision != expected {
		err = fmt.Errorf("revision %d is active, not %d: nothing was changed", active.Revision, expected)
	}
	return active, err
}

// pushed is the result of push.
type pushed struct {
	Revision int    `json:"revision"`
	Digest   string `json:"digest"`
	// Made: there was no such revision active.
	Made      bool `json:"made"`
	Activated bool `json:"activated"`
}

func (c *cli) policyPush(ctx context.Context, o remoteOptions, folder string) error {
	if o.message == "" {
		return fmt.Errorf("%w: --message: say why, for people to read", errConfig)
	}
	content, err := readPolicy(folder)
	if err != nil {
		return err
	}
	desk, err := c.policyDeskOf(o)
	if err != nil {
		return err
	}
	active, err := desk.active(ctx)
	if err != nil {
		return err
	}
	out := pushed{Revision: active.Revision, Digest: content.Digest()}
	if active.Digest == out.Digest {
		return c.print(out, fmt.Sprintf("Revision %d is this policy, and active.\n", active.Revision))
	}
	if active, err = desk.expectedOf(ctx, o.expected); err != nil {
		return err
	}
	var made struct {
		Number int `json:"number"`
	}
	if err := desk.ask(ctx, http.MethodPost, "revisions", map[string]any{"files": content.Files, "message": o.message, "parent": active.Revision}, "", &made); err != nil {
		return c.toldFindings(folder, err)
	}
	out.Revision, out.Made = made.Number, true
	text := fmt.Sprintf("Made revision %d.\n", made.Number)
	if o.activate {
		if _, err := desk.change(ctx, "activate", "revision", made.Number, o.message, active.Version); err != nil {
			fmt.Fprint(c.stderr, text)
			return c.toldFindings(folder, err)
		}
		out.Activated = true
		text += "It decides now.\n"
	}
	return c.print(out, text)
}

func (c *cli) policyChange(ctx context.Context, o remoteOptions, act, field, number string) error {
	revision, err := strconv.Atoi(number)
	if err != nil || revision < 0 {
		return fmt.Errorf("%w: %q is not the number of a revision", errConfig, number)
	}
	desk, err := c.policyDeskOf(o)
	if err != nil {
		return err
	}
	active, err := desk.expectedOf(ctx, o.expected)
	if err != nil {
		return err
	}
	now, err := desk.change(ctx, act, field, revision, o.message, active.Version)
	if err != nil {
		return c.toldFindings("", err)
	}
	return c.print(now, fmt.Sprintf("Revision %d decides now.\n", now.Revision))
}

// pulled is the result of pull.
type pulled struct {
	Revision int      `json:"revision"`
	Files    []string `json:"files"`
	// Others are in the folder and not in the revision.
	Others []string `json:"others"`
}

func (c *cli) policyPull(ctx context.Context, o remoteOptions, folder string) error {
	desk, err := c.policyDeskOf(o)
	if err != nil {
		return err
	}
	if o.revision == 0 {
		active, err := desk.active(ctx)
		if err != nil {
			return err
		}
		if o.revision = active.Revision; o.revision == 0 {
			return baseAlone(o.org)
		}
	}
	var got struct {
		Number int               `json:"number"`
		Files  map[string]string `json:"files"`
	}
	if err := desk.ask(ctx, http.MethodGet, fmt.Sprintf("revisions/%d", o.revision), nil, "", &got); err != nil {
		return err
	}
	if len(got.Files) == 0 {
		return baseAlone(fmt.Sprintf("revision %d of %s", got.Number, o.org))
	}
	out := pulled{Revision: got.Number, Files: []string{}, Others: []string{}}
	var text strings.Builder
	for _, name := range sortedNames(got.Files) {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("the server's file %q is not of the folder", name)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // sources, as others are
			return fmt.Errorf("write the policy: %w", err)
		}
		if err := os.WriteFile(path, []byte(got.Files[name]), 0o644); err != nil { //nolint:gosec // sources, as others are
			return fmt.Errorf("write the policy: %w", err)
		}
		out.Files = append(out.Files, name)
		fmt.Fprintln(&text, path)
	}
	here, err := readPolicy(folder)
	if err != nil {
		return err
	}
	for _, name := range sortedNames(here.Files) {
		if _, ok := got.Files[name]; !ok {
			out.Others = append(out.Others, name)
			fmt.Fprintf(&text, "%s is not in the revision\n", filepath.Join(folder, name))
		}
	}
	return c.print(out, text.String())
}

// baseAlone is what pull fails with where there are no files to write.
func baseAlone(what string) error {
	return fmt.Errorf("%s has no policy of its own: the base policy decides alone", what)
}

// toldFindings tells what the server refuses of a policy; findings then, or the error itself.
func (c *cli) toldFindings(folder string, err error) error {
	refused, ok := err.(*policyRefusal) //nolint:errorlint // it is not wrapped
	if !ok {
		return err
	}
	var text strings.Builder
	writeDiagnostics(&text, folder, refused.Diagnostics)
	for _, sentence := range refused.Errors {
		fmt.Fprintln(&text, sentence)
	}
	if text.Len() == 0 {
		return err
	}
	fmt.Fprint(c.stderr, text.String())
	return findings
}
