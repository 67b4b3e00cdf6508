package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/devissuer"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/embedded"
)

// tokenOptions are the flags of token.
type tokenOptions struct {
	data, org, user string
	roles           []string
	ttl             time.Duration
}

func (c *cli) tokenCommand() *cobra.Command {
	var opt tokenOptions
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token of the development issuer, for trying things out",
		Long: `Prints a token for a running anteroom run, signed by its development issuer: for development only, on this machine only.
Whoever can read the data folder can be anybody.

  curl -H "Authorization: Bearer $(anteroom token --role admin)" http://127.0.0.1:8480/v1/calls`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			token, err := devToken(opt)
			if err != nil {
				return err
			}
			return c.print(struct {
				Token string `json:"token"`
			}{token}, token+"\n")
		},
	}
	names := make([]string, 0, len(devissuer.Roles()))
	for _, r := range devissuer.Roles() {
		names = append(names, string(r))
	}
	flags := cmd.Flags()
	flags.StringVar(&opt.data, "data", config.Default().Embedded.Data, "data `folder` of the running Anteroom")
	flags.StringVar(&opt.org, "org", demoOrg, "`organisation` of the user; operators have none")
	flags.StringVar(&opt.user, "user", "", "the user's `id` (default: the first role)")
	flags.StringSliceVar(&opt.roles, "role", []string{string(identity.OrgUser)}, "`roles` of the user: "+strings.Join(names, ", "))
	flags.DurationVar(&opt.ttl, "ttl", time.Hour, "how long the token holds, at most 24h")
	_ = cmd.MarkFlagDirname("data")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// serverToken is the token of a file or, where the server is the Anteroom of the data folder, a development token; else none, and the server says so.
func (c *cli) serverToken(server, tokenFile string, own tokenOptions) (string, error) {
	if tokenFile == "" {
		running, err := embedded.RunningURL(own.data)
		if err != nil || running != strings.TrimSuffix(server, "/") {
			return "", nil
		}
		return devToken(own)
	}
	file, _, err := c.open(tokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %s: %w", tokenFile, err)
	}
	defer file.Close()
	const most = 16 << 10
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return "", fmt.Errorf("--token-file: %s: %w", tokenFile, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// devToken makes a token with the key in the data folder of a running instance.
func devToken(opt tokenOptions) (string, error) {
	url, err := embedded.RunningURL(opt.data)
	if errors.Is(err, embedded.ErrNotRunning) {
		return "", fmt.Errorf("%w: start `anteroom run`, or name its folder with --data", err)
	}
	if err != nil {
		return "", err
	}
	roles := make([]identity.Role, 0, len(opt.roles))
	for _, name := range opt.roles {
		role := identity.Role(strings.TrimSpace(name))
		if !slices.Contains(devissuer.Roles(), role) {
			return "", fmt.Errorf("%w: --role: %q is no role", errConfig, name)
		}
		roles = append(roles, role)
	}
	if slices.Contains(roles, identity.Operator) {
		opt.org = ""
	}
	if opt.user == "" {
		opt.user = string(roles[0])
	}
	issuer, err := devissuer.Open(devissuer.Config{
		URL: url + devIssuerPath, Folder: stateFolder(config.Embedded{Data: opt.data}),
	}, devissuer.Deps{})
	if err != nil {
		return "", err
	}
	return issuer.Token(opt.org, roles, opt.user, opt.ttl)
}
