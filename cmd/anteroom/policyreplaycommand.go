package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/policy"
)

// policyReplayOptions are the flags of policy replay.
type policyReplayOptions struct {
	remoteOptions
	from, to, last string
	changed, gone  int64
}

func (c *cli) policyReplayCommand() *cobra.Command {
	var opt policyReplayOptions
	cmd := &cobra.Command{
		Use:   "replay [FOLDER]",
		Short: "Say which recorded decisions the policy would change, and what would be deleted earlier or later",
		Long: `Has a running Anteroom decide again, by the policy in the folder and by the active one, on what it decided on in a window, and says what would change and by
which rule. If one of the two has rules on how long chat is kept, it also says what of that which is kept now would be deleted earlier or later, and what at once.
Nothing is activated. For policy authors, auditors and admins of the organisation.

With --max-changed and --max-at-once it has findings, and exit code 1, if more decisions than that would change, or more things than that would be deleted at once (or
that can't be told): for CI.`,
		Example: `  anteroom policy replay --last 7d
  anteroom policy replay policies --server https://meet.example.org --org contoso --token-file token --max-changed 0 --max-at-once 0`,
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
	flags.Int64Var(&opt.gone, "max-at-once", -1, "exit with 1 if more `things` would be deleted at once")
	opt.remoteOptions.flags(cmd)
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
		Retention *keptTold `json:"retention"`
	} `json:"result"`
}

// keptTold is what the server tells of how long things would be kept.
type keptTold struct {
	At         time.Time `json:"at"`
	Complete   bool      `json:"complete"`
	Things     int64     `json:"things"`
	Same       int64     `json:"same"`
	Changed    int64     `json:"changed"`
	Earlier    int64     `json:"earlier"`
	Later      int64     `json:"later"`
	AtOnce     int64     `json:"at_once"`
	AtOnceHeld int64     `json:"at_once_held"`
	Undecided  int64     `json:"undecided"`
	Changes    []struct {
		Region   string   `json:"region"`
		Class    string   `json:"class"`
		FromDays *int     `json:"from_days"`
		ToDays   *int     `json:"to_days"`
		Rule     string   `json:"rule"`
		Reason   string   `json:"reason"`
		Things   int64    `json:"things"`
		AtOnce   int64    `json:"at_once"`
		Held     int64    `json:"held"`
		Meetings []string `json:"meetings"`
	} `json:"changes"`
}

func (c *cli) policyReplay(ctx context.Context, folder string, opt policyReplayOptions) error {
	content, err := readPolicy(folder)
	if err != nil {
		return err
	}
	desk, err := c.policyDeskOf(opt.remoteOptions)
	if err != nil {
		return err
	}
	asked := map[string]any{"files": content.Files}
	for name, value := range map[string]string{"from": opt.from, "to": opt.to, "last": opt.last} {
		if value != "" {
			asked[name] = value
		}
	}
	job, err := desk.replay(ctx, asked)
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
	if kept := job.Result.Retention; opt.gone >= 0 && kept != nil && (kept.AtOnce > opt.gone || kept.Undecided > 0 || !kept.Complete) {
		return findings
	}
	return nil
}

// replay asks for a replay and waits for its end. If the caller doesn't wait any longer, the replay is cancelled.
func (p *policyClient) replay(ctx context.Context, asked map[string]any) (replayTold, error) {
	var job replayTold
	if err := p.ask(ctx, http.MethodPost, "replay", asked, "", &job); err != nil {
		return job, err
	}
	at := "replays/" + job.ID
	for job.State == "queued" || job.State == "running" {
		select {
		case <-ctx.Done():
			return job, errors.Join(ctx.Err(), p.cancelReplay(ctx, at))
		case <-time.After(300 * time.Millisecond):
		}
		if err := p.ask(ctx, http.MethodGet, at, nil, "", &job); err != nil {
			return job, err
		}
	}
	return job, nil
}

// cancelReplay cancels a replay that nobody waits for any longer.
func (p *policyClient) cancelReplay(ctx context.Context, at string) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	var job replayTold
	return p.ask(last, http.MethodDelete, at, nil, "", &job)
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
	if r.Result.Retention != nil {
		r.Result.Retention.write(&text)
	}
	return text.String()
}

// write says in sentences what would be kept for how long.
func (k *keptTold) write(text *strings.Builder) {
	fmt.Fprintf(text, "Of %d things that are kept, %d would be deleted earlier and %d later.\n", k.Things, k.Earlier, k.Later)
	if k.AtOnce > 0 {
		fmt.Fprintf(text, "%d WOULD BE DELETED AT ONCE.", k.AtOnce)
		if k.AtOnceHeld > 0 {
			fmt.Fprintf(text, " A hold covers %d of them: they can't be read then, and stay until it is released.", k.AtOnceHeld)
		}
		fmt.Fprintln(text)
	}
	for _, c := range k.Changes {
		fmt.Fprintf(text, "  %d %s in %s: %s → %s", c.Things, map[string]string{"copy": "copies", "thread": "messages of the thread"}[c.Class], c.Region, daysTold(c.FromDays), daysTold(c.ToDays))
		if c.AtOnce > 0 {
			fmt.Fprintf(text, ", %d at once", c.AtOnce)
		}
		fmt.Fprintf(text, " (rule %s, %s)\n", strings.TrimPrefix(c.Rule, policy.ShortenPrefix), c.Reason)
	}
	if k.Undecided > 0 {
		fmt.Fprintf(text, "%d more could not be decided on: the rules fail.\n", k.Undecided)
	}
	if !k.Complete {
		fmt.Fprintln(text, "Not all regions could be asked: there may be more.")
	}
}

func daysTold(days *int) string {
	switch {
	case days == nil:
		return "kept for good"
	case *days == 1:
		return "1 day"
	}
	return fmt.Sprintf("%d days", *days)
}
