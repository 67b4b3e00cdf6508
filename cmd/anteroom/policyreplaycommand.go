package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/embedded"
)

// policyReplayOptions are the flags of policy replay.
type policyReplayOptions struct {
	server, org, data, tokenFile string
	from, to, last               string
	changed                      int64
}

func (c *cli) policyReplayCommand() *cobra.Command {
	var opt policyReplayOptions
	cmd := &cobra.Command{
		Use:   "replay [FOLDER]",
		Short: "Say which recorded decisions the policy would change",
		Long: `Has a running Anteroom decide again, by the policy in the folder and by the active one, on what it decided on in a window, and says what would change and by
which rule. Nothing is activated. For policy authors, auditors and admins of the organisation.

With --max-changed it has findings, and exit code 1, if more decisions than that would change: for CI.`,
		Example: `  anteroom policy replay --last 7d
  anteroom policy replay policies --server https://meet.example.org --org contoso --token-file token --max-changed 0`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.policyReplay(cmd.Context(), folderOf(args), opt)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opt.last, "last", "", "decisions of so long a `time` back from now, such as 24h or 7d (default 7d)")
	flags.StringVar(&opt.from, "from", "", "decisions not before this `time`, such as 2026-11-01T08:00:00Z; instead of --last")
	flags.StringVar(&opt.to, "to", "", "and before this `time`")
	flags.Int64Var(&opt.changed, "max-changed", -1, "exit with 1 if more `decisions` would change")
	flags.StringVar(&opt.server, "server", "http://127.0.0.1:8480", "`URL` of the running Anteroom")
	flags.StringVar(&opt.org, "org", demoOrg, "`organisation` whose policy it is")
	flags.StringVar(&opt.tokenFile, "token-file", "", "`file` with a token of a policy author of the organisation; - is standard input")
	flags.StringVar(&opt.data, "data", config.Default().Embedded.Data, "data `folder` of an Anteroom on this machine, which needs no token then")
	_ = cmd.MarkFlagDirname("data")
	return cmd
}

// replayTold is a replay as the server tells of it.
type replayTold struct {
	ID     string    `json:"id"`
	State  string    `json:"state"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Error  string    `json:"error,omitempty"`
	Result *struct {
		Decisions     int64            `json:"decisions"`
		Distinct      int64            `json:"distinct"`
		Same          int64            `json:"same"`
		Changed       int64            `json:"changed"`
		NotReplayable map[string]int64 `json:"not_replayable"`
		Differences   []struct {
			From      string          `json:"from"`
			To        string          `json:"to"`
			Rule      string          `json:"rule"`
			Reason    string          `json:"reason"`
			Decisions int64           `json:"decisions"`
			Distinct  int64           `json:"distinct"`
			Examples  json.RawMessage `json:"examples"`
		} `json:"differences"`
	} `json:"result"`
}

func (c *cli) policyReplay(ctx context.Context, folder string, opt policyReplayOptions) error {
	base, err := serverURL(opt.server)
	if err != nil {
		return err
	}
	if !event.ValidOrg(opt.org) {
		return fmt.Errorf("%w: --org: %q must be 1 to 63 of a-z, 0-9, '_', '.', '-', starting with a letter or digit", errConfig, opt.org)
	}
	content, err := readPolicy(folder)
	if err != nil {
		return err
	}
	token, err := c.authorToken(opt)
	if err != nil {
		return err
	}
	asked := map[string]any{"files": content.Files}
	for name, value := range map[string]string{"from": opt.from, "to": opt.to, "last": opt.last} {
		if value != "" {
			asked[name] = value
		}
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	job, err := replayOn(ctx, base.JoinPath("v1", "policies", opt.org), token, body)
	if err != nil {
		return err
	}
	if job.State != "done" || job.Result == nil {
		return fmt.Errorf("the replay is %s: %s", job.State, job.Error)
	}
	if err := c.print(job, job.text()); err != nil {
		return err
	}
	if opt.changed >= 0 && job.Result.Changed > opt.changed {
		return findings
	}
	return nil
}

// authorToken is the token of --token-file or, for the Anteroom of a data folder on this machine, one of a policy author.
func (c *cli) authorToken(opt policyReplayOptions) (string, error) {
	if opt.tokenFile != "" {
		return c.importToken(importOptions{tokenFile: opt.tokenFile})
	}
	if running, err := embedded.RunningURL(opt.data); err != nil || running != strings.TrimSuffix(opt.server, "/") {
		return "", nil //nolint:nilerr // another's: without a token it says what it wants
	}
	return devToken(tokenOptions{data: opt.data, org: opt.org, user: "author", roles: []string{string(identity.PolicyAuthor)}})
}

// replayOn asks for a replay and waits for its end. If the caller doesn't wait any longer, the replay is cancelled.
func replayOn(ctx context.Context, policies *url.URL, token string, body []byte) (replayTold, error) {
	var job replayTold
	if err := askPolicies(ctx, http.MethodPost, policies.JoinPath("replay"), token, body, &job); err != nil {
		return job, err
	}
	at := policies.JoinPath("replays", job.ID)
	for job.State == "queued" || job.State == "running" {
		select {
		case <-ctx.Done():
			return job, errors.Join(ctx.Err(), cancelReplay(ctx, at, token))
		case <-time.After(300 * time.Millisecond):
		}
		if err := askPolicies(ctx, http.MethodGet, at, token, nil, &job); err != nil {
			return job, err
		}
	}
	return job, nil
}

// cancelReplay cancels a replay that nobody waits for any longer.
func cancelReplay(ctx context.Context, at *url.URL, token string) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	var job replayTold
	return askPolicies(last, http.MethodDelete, at, token, nil, &job)
}

// askPolicies asks a server and reads its answer, or its refusal.
func askPolicies(ctx context.Context, method string, address *url.URL, token string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return fmt.Errorf("no answer from %s: %w", address.Host, err)
	}
	defer closed(answer)
	text := io.LimitReader(answer.Body, 64<<20)
	if answer.StatusCode < http.StatusBadRequest {
		if err := json.NewDecoder(text).Decode(into); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		return nil
	}
	var problem struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	reason := "the server answers " + answer.Status
	if json.NewDecoder(text).Decode(&problem) == nil && problem.Title != "" {
		reason = problem.Title + ": " + problem.Detail
	}
	return &askError{answer.StatusCode, fmt.Sprintf("%s: %s", address.Host, reason)}
}

// text says it in sentences.
func (r *replayTold) text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "Of %d decisions from %s to %s, %d would change.\n", r.Result.Decisions, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), r.Result.Changed)
	for _, d := range r.Result.Differences {
		change := d.From + " → " + d.To
		if d.From == d.To {
			change = d.From + " for another reason"
		}
		because := d.Reason
		if d.Rule != "" {
			because = "rule " + d.Rule + ", " + d.Reason
		}
		fmt.Fprintf(&text, "  %d %s (%s)\n", d.Decisions, change, because)
	}
	for _, why := range []string{"no_input", "not_an_input"} {
		if n := r.Result.NotReplayable[why]; n > 0 {
			fmt.Fprintf(&text, "%d more could not be decided again: %s.\n", n, map[string]string{
				"no_input": "their input was not kept", "not_an_input": "their input is of another version",
			}[why])
		}
	}
	return text.String()
}
