package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/sandbox"
)

func (c *cli) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check, format and test an organisation's policy in a folder, and put it live",
		Long: `Works on an organisation's policy in a folder: *.rego of package anteroom.organization or below it, *_test.rego of package anteroom.organization_test or
below it, and data.json, seen as data.organization. Other files, and folders whose names begin with '.', are left alone. policy/example is such a folder, with
its README.

The base policy's limits and what is grantable are those of the configuration (policy in --config).

Exit codes: 0 all is well, 1 there are findings, 2 the command line or the configuration was not understood.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.policyCheckCommand(), c.policyFormatCommand(), c.policyTestCommand(), c.policyBaseCommand(), c.policyReplayCommand())
	cmd.AddCommand(c.policyRemoteCommands()...)
	return cmd
}

func (c *cli) policyCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FOLDER]",
		Short: "Say what has to be mended before the policy can be activated",
		Long: `Parses and compiles the policy as its activation would: strictly, with the built-ins that are allowed and the input's schema. Prints file:line:column, what is
wrong, and its code. Codes rego_… are the stock tool's, policy_… are the house's. Files that aren't formatted are named and are no finding.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.policyCheck(cmd.Context(), folderOf(args)) },
	}
}

func (c *cli) policyFormatCommand() *cobra.Command {
	var only bool
	cmd := &cobra.Command{
		Use:   "fmt [FOLDER]",
		Short: "Format the policy's files in place",
		Long:  `Writes Rego as opa fmt does and data.json with two spaces of indentation, and names the files that it changed.`,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.policyFormat(cmd.Context(), folderOf(args), only)
		},
	}
	cmd.Flags().BoolVar(&only, "check", false, "change nothing: exit with 1 if there is something to format")
	return cmd
}

func (c *cli) policyTestCommand() *cobra.Command {
	var options author.TestOptions
	var bar float64
	cmd := &cobra.Command{
		Use:   "test [FOLDER]",
		Short: "Run the policy's tests and say what they cover",
		Long: `Runs the tests over the base policy, in a process with limits on memory and time. A failing test comes with its trace. Tests that are named todo_test_… are
skipped.`,
		Example: `  anteroom policy test organization --coverage 100`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if bar < 0 || bar > 100 {
				return fmt.Errorf("%w: --coverage: %v is not 0 to 100", errConfig, bar)
			}
			options.Trace = true
			return c.policyTest(cmd.Context(), folderOf(args), options, bar)
		},
	}
	cmd.Flags().StringVar(&options.Run, "run", "", "run only tests whose full name matches this regular `expression`")
	cmd.Flags().Float64Var(&bar, "coverage", 0, "fail if less than so many `percent` of the modules' lines are covered")
	return cmd
}

func (c *cli) policyBaseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "base FOLDER",
		Short: "Write the base policy, for the stock tool",
		Long: `Writes what the stock tool needs to check and test as this one does: base/ with the base policy and its data, capabilities.json and input.schema.json.

  opa check --strict --capabilities F/capabilities.json --schema F/input.schema.json F/base .
  opa test --capabilities F/capabilities.json --schema F/input.schema.json F/base .

Both are run where the policy's folder is named organization, for the folder's name is where its data.json is seen.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return c.policyBase(args[0]) },
	}
}

func folderOf(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

// author is a sandbox over the configured base policy.
func (c *cli) author() (*sandbox.Client, error) {
	cfg, err := c.load(nil)
	if err != nil {
		return nil, err
	}
	if err := cfg.Policy.Validate(); err != nil {
		return nil, fmt.Errorf("%w:\npolicy: %w", errConfig, err)
	}
	if err := cfg.Sandbox.Validate(); err != nil {
		return nil, fmt.Errorf("%w:\nsandbox: %w", errConfig, err)
	}
	return sandbox.New(cfg.Sandbox, cfg.Policy, newLog(c.stderr, cfg.Log))
}

// readPolicy reads a folder's files that are a policy's.
func readPolicy(folder string) (author.Content, error) {
	content := author.Content{Files: map[string]string{}}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && strings.HasPrefix(entry.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if entry.Name() == author.DataFile && name != author.DataFile {
			// The stock tool would read it, and rules that need it would be undefined here without a word.
			return fmt.Errorf("%s would be left out: %s lies in the policy's folder itself; is %s meant?", path, author.DataFile, filepath.Dir(path))
		}
		if name = filepath.ToSlash(name); name != author.DataFile && !strings.HasSuffix(name, ".rego") {
			return nil
		}
		text, err := os.ReadFile(path)
		content.Files[name] = string(text)
		return err
	})
	if err == nil && len(content.Files) == 0 {
		err = fmt.Errorf("%s has no .rego files", folder)
	}
	if err != nil {
		return author.Content{}, fmt.Errorf("%w: read the policy: %w", errConfig, err)
	}
	return content, nil
}

// findings ends a command that has findings, which it has told.
const findings = exitError(exitFailed)

func (c *cli) policyCheck(ctx context.Context, folder string) error {
	content, client, err := c.policyIn(folder)
	if err != nil {
		return err
	}
	defer client.Close()
	result, err := client.Check(ctx, content)
	if err != nil {
		return err
	}
	var text strings.Builder
	writeDiagnostics(&text, folder, result.Diagnostics)
	for _, name := range result.Unformatted {
		fmt.Fprintf(&text, "%s: is not formatted (anteroom policy fmt)\n", filepath.Join(folder, name))
	}
	if result.OK {
		fmt.Fprintf(&text, "%s can be activated (digest %s).\n", folder, content.Digest())
	}
	if err := c.print(result, text.String()); err != nil {
		return err
	}
	if !result.OK {
		return findings
	}
	return nil
}

func (c *cli) policyIn(folder string) (author.Content, *sandbox.Client, error) {
	content, err := readPolicy(folder)
	if err != nil {
		return content, nil, err
	}
	client, err := c.author()
	return content, client, err
}

func writeDiagnostics(text *strings.Builder, folder string, list []author.Diagnostic) {
	for _, d := range list {
		place := filepath.Join(folder, d.File)
		if d.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", place, d.Line, d.Column)
		}
		fmt.Fprintf(text, "%s: %s: %s (%s)\n", place, d.Severity, strings.ReplaceAll(d.Message, "\n", "\n    "), d.Code)
	}
}

type formattedPolicy struct {
	Changed     []string            `json:"changed"`
	Diagnostics []author.Diagnostic `json:"diagnostics"`
}

func (c *cli) policyFormat(ctx context.Context, folder string, only bool) error {
	content, client, err := c.policyIn(folder)
	if err != nil {
		return err
	}
	defer client.Close()
	formatted, err := client.Format(ctx, content)
	if err != nil {
		return err
	}
	result := formattedPolicy{Changed: []string{}, Diagnostics: formatted.Diagnostics}
	var text strings.Builder
	for name, pretty := range formatted.Content.Files {
		if pretty == content.Files[name] {
			continue
		}
		result.Changed = append(result.Changed, name)
		if only {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.FromSlash(name)), []byte(pretty), 0o644); err != nil {
			return fmt.Errorf("write the policy: %w", err)
		}
	}
	slices.Sort(result.Changed)
	writeDiagnostics(&text, folder, result.Diagnostics)
	for _, name := range result.Changed {
		fmt.Fprintln(&text, filepath.Join(folder, name))
	}
	if err := c.print(result, text.String()); err != nil {
		return err
	}
	if len(result.Diagnostics) > 0 || (only && len(result.Changed) > 0) {
		return findings
	}
	return nil
}

func (c *cli) policyTest(ctx context.Context, folder string, options author.TestOptions, bar float64) error {
	content, client, err := c.policyIn(folder)
	if err != nil {
		return err
	}
	defer client.Close()
	result, err := client.Test(ctx, content, options)
	var killed *sandbox.Killed
	if errors.As(err, &killed) {
		fmt.Fprintf(c.stderr, "anteroom: %s\n", killed.Detail)
		return findings
	}
	if err != nil {
		return err
	}
	if err := c.print(result, toldTests(folder, &result, bar)); err != nil {
		return err
	}
	if !result.OK || result.Coverage.Percent < bar {
		return findings
	}
	return nil
}

func toldTests(folder string, result *author.TestResult, bar float64) string {
	var text strings.Builder
	writeDiagnostics(&text, folder, result.Diagnostics)
	if len(result.Diagnostics) > 0 {
		return text.String()
	}
	counts := map[string]int{}
	for _, t := range result.Tests {
		counts[t.Outcome]++
		if t.Outcome == author.Pass {
			continue
		}
		fmt.Fprintf(&text, "%s:%d: %s: %s.%s\n", filepath.Join(folder, t.File), t.Line, strings.ToUpper(t.Outcome), t.Package, t.Name)
		for line := range strings.Lines(t.Message) {
			fmt.Fprintf(&text, "    %s\n", strings.TrimRight(line, "\n"))
		}
		for _, line := range t.Trace {
			fmt.Fprintf(&text, "    %s\n", line)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(result.Coverage.Files)) {
		file := result.Coverage.Files[name]
		for _, lines := range file.NotCovered {
			fmt.Fprintf(&text, "%s:%d: not covered, to line %d\n", filepath.Join(folder, name), lines[0], lines[1])
		}
	}
	fmt.Fprintf(&text, "%d passed, %d failed, %d skipped; %.1f %% of lines covered\n",
		counts[author.Pass], counts[author.Fail]+counts[author.Error], counts[author.Skip], result.Coverage.Percent)
	if len(result.Tests) == counts[author.Skip] {
		text.WriteString("No test ran.\n")
	}
	if result.Coverage.Percent < bar {
		fmt.Fprintf(&text, "Coverage is below %v %%.\n", bar)
	}
	return text.String()
}

func (c *cli) policyBase(folder string) error {
	cfg, err := c.load(nil)
	if err != nil {
		return err
	}
	base, err := policy.NewBase(cfg.Policy)
	if err != nil {
		return fmt.Errorf("%w:\npolicy: %w", errConfig, err)
	}
	files, err := base.Files()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(folder, "base", filepath.FromSlash(name))
		switch {
		case name == policy.CapabilitiesFile || name == policy.SchemaFile:
			path = filepath.Join(folder, name)
		case policy.IsTest(name): // its tests put inputs together from parts, which the schema can't follow
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write the base policy: %w", err)
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o644); err != nil {
			return fmt.Errorf("write the base policy: %w", err)
		}
	}
	return c.print(map[string]string{"folder": folder, "revision": base.Revision()}, fmt.Sprintf("Wrote the base policy %s to %s.\n", base.Revision(), folder))
}
