package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention/report"
)

// exportOptions are the flags of export.
type exportOptions struct {
	server, org, data, tokenFile, out, id string
	kind, region, from, to                string
	meeting, resource, reason             string
	formats, classes, filters             []string
	bom                                   bool
}

func (c *cli) exportCommand() *cobra.Command {
	var opt exportOptions
	cmd := &cobra.Command{
		Use:   "export --from TIME --to TIME --out FOLDER",
		Short: "Have a report made by a running Anteroom, and fetch it",
		Long: `Asks a running Anteroom for a report, waits until it is made, fetches its files, checks their SHA-256 and prints how to check the report itself:
without the service, by the ledger's key. For auditors and admins of an organisation.

Kinds: retention (each thing that was kept, its state, rule and proof), notices (who was told of recording and transcription), changes (of policies,
holds and settings), held_content (text under hold; another admin or auditor has to approve it first), and of call analytics calls, participants and streams.

TIME is as 2026-11-01 or 2026-11-01T08:00:00Z, in UTC. When it is interrupted the report is made all the same: fetch it with --id.`,
		Example: `  anteroom export --from 2026-11-01 --to 2026-12-01 --out report
  anteroom export --from 2026-11-01 --to 2026-12-01 --kind calls --filter verdict=poor --filter hour_of_day=9 --out poor
  anteroom verify report/emea.bundle.zip --key KEY`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.export(cmd.Context(), opt) },
	}
	kinds, formats := make([]string, 0, len(report.Kinds())), make([]string, 0, len(report.Formats()))
	for _, k := range report.Kinds() {
		kinds = append(kinds, string(k))
	}
	for _, f := range report.Formats() {
		formats = append(formats, string(f))
	}
	flags := cmd.Flags()
	flags.StringVar(&opt.kind, "kind", string(report.Retention), "`kind` of the report: "+strings.Join(kinds, ", "))
	flags.StringVar(&opt.from, "from", "", "what was sent not before this `time`")
	flags.StringVar(&opt.to, "to", "", "and before this `time`")
	flags.StringVar(&opt.region, "region", "", "one `region` only (default all)")
	flags.StringSliceVar(&opt.classes, "class", nil, "`classes` only: thread, copy, recording, notice, decision (default all)")
	flags.StringArrayVar(&opt.filters, "filter", nil, "of calls, participants and streams, which calls: `name=value`, once for each of "+strings.Join(filterNames(), ", "))
	flags.StringVar(&opt.meeting, "meeting", "", "`id` of one meeting only")
	flags.StringVar(&opt.resource, "resource", "", "`id` of one resource only")
	flags.StringSliceVar(&opt.formats, "format", formats, "`formats` besides JSON Lines")
	flags.BoolVar(&opt.bom, "csv-bom", false, "begin CSV files with a byte order mark, for spreadsheets that ask for it")
	flags.StringVar(&opt.reason, "reason", "", "why the report is asked for; held_content takes one")
	flags.StringVar(&opt.id, "id", "", "fetch an export that was asked for before, by its `id`")
	flags.StringVar(&opt.out, "out", "", "`folder` for the files; made if missing")
	flags.StringVar(&opt.server, "server", "http://127.0.0.1:8480", "`URL` of the running Anteroom")
	flags.StringVar(&opt.org, "org", demoOrg, "`organisation` that the report is about")
	flags.StringVar(&opt.tokenFile, "token-file", "", "`file` with a token of an auditor or admin of the organisation; - is standard input")
	flags.StringVar(&opt.data, "data", config.Default().Embedded.Data, "data `folder` of an Anteroom on this machine, which needs no token then")
	_ = cmd.MarkFlagDirname("data")
	_ = cmd.MarkFlagDirname("out")
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("filter", cobra.FixedCompletions(filterCompletions(), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// exported is the result.
type exported struct {
	ID    string         `json:"export_id"`
	Rows  int64          `json:"rows"`
	Files []exportedFile `json:"files"`
	// Bundles are the files to check.
	Bundles []string `json:"bundles"`
}

type exportedFile struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func (c *cli) export(ctx context.Context, opt exportOptions) error {
	base, err := serverURL(opt.server)
	if err != nil {
		return err
	}
	if opt.out == "" {
		return fmt.Errorf("%w: --out: name a folder for the files", errConfig)
	}
	if !event.ValidOrg(opt.org) {
		return fmt.Errorf("%w: --org: %q must be 1 to 63 of a-z, 0-9, '_', '.', '-', starting with a letter or digit", errConfig, opt.org)
	}
	body, err := opt.body()
	if err != nil {
		return err
	}
	token, err := c.serverToken(opt.server, opt.tokenFile, tokenOptions{data: opt.data, org: opt.org, user: "auditor", roles: []string{string(identity.Auditor)}})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(opt.out, 0o700); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	client := &exportClient{base: base, org: opt.org, token: token}
	id := opt.id
	if id == "" {
		job, err := client.ask(ctx, body, rand.Text())
		if err != nil {
			return err
		}
		id = job.ID
	}
	show := c.newTransfers()
	result, err := client.fetch(ctx, id, opt.out, show)
	show.stop()
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("interrupted; fetch it later with --id %s: %w", id, ctx.Err())
		}
		return err
	}
	return c.reportExport(result)
}

// serverURL reads --server: scheme, host and port only.
func serverURL(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("%w: --server: %q is not a URL like http://127.0.0.1:8480", errConfig, text)
	}
	if (base.Path != "" && base.Path != "/") || base.RawQuery != "" || base.ForceQuery || base.Fragment != "" || base.User != nil {
		return nil, fmt.Errorf("%w: --server: give scheme, host and port only, as http://127.0.0.1:8480", errConfig)
	}
	return base, nil
}

// body is what is asked for.
func (o *exportOptions) body() (map[string]any, error) {
	if o.id != "" {
		if uuid.Validate(o.id) != nil {
			return nil, fmt.Errorf("%w: --id: it is not the id of an export", errConfig)
		}
		return nil, nil
	}
	body := map[string]any{"kind": o.kind, "formats": o.formats, "csv_bom": o.bom}
	for flag, text := range map[string]string{"from": o.from, "to": o.to} {
		at, err := parseMoment(text)
		if err != nil {
			return nil, fmt.Errorf("%w: --%s: %w", errConfig, flag, err)
		}
		body[flag] = at.Format(time.RFC3339Nano)
	}
	for name, text := range map[string]string{"region": o.region, "meeting_id": o.meeting, "resource_id": o.resource, "reason": o.reason} {
		if text != "" {
			body[name] = text
		}
	}
	if len(o.classes) > 0 {
		body["classes"] = o.classes
	}
	filter, err := filterOf(o.kind, o.filters)
	if err != nil {
		return nil, err
	}
	if filter != nil {
		body["filter"] = filter
	}
	return body, nil
}

// parseMoment reads a time as people write it.
func parseMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, errors.New("is missing; give a time such as 2026-11-01")
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2026-11-01 or 2026-11-01T08:00:00Z", text)
}

func (c *cli) reportExport(r *exported) error {
	var text strings.Builder
	for _, f := range r.Files {
		fmt.Fprintf(&text, "%s  %s\n", f.SHA256, f.Path)
	}
	text.WriteString("\nThe files are as the server says. Whether what they say is true, check without it, by the ledger's key (`anteroom ledger key` prints it;\n" +
		"have it by another way than this):\n\n")
	for _, bundle := range r.Bundles {
		fmt.Fprintf(&text, "  anteroom verify %s --key KEY\n", bundle)
	}
	return c.print(r, text.String())
}

// fetch waits for an export and fetches its files.
func (c *exportClient) fetch(ctx context.Context, id, folder string, show *transfers) (*exported, error) {
	job, err := c.await(ctx, id, show)
	if err != nil {
		return nil, err
	}
	out := &exported{ID: job.ID, Rows: job.Rows, Files: []exportedFile{}, Bundles: []string{}}
	for _, f := range job.Files {
		path := filepath.Join(folder, filepath.Base(f.Name))
		if err := c.download(ctx, job.ID, f, path, show); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		out.Files = append(out.Files, exportedFile{path, f.Bytes, f.SHA256})
		if strings.HasSuffix(f.Name, ".zip") {
			out.Bundles = append(out.Bundles, path)
		}
	}
	return out, nil
}

// await asks for the job until it is done.
func (c *exportClient) await(ctx context.Context, id string, show *transfers) (*exportJob, error) {
	making := show.begin("Making the report", "Making the report", 100, false)
	told := false
	for {
		job, err := c.job(ctx, id)
		if err != nil {
			making.end(err)
			return nil, err
		}
		making.set(int64(job.Percent))
		switch report.State(job.State) {
		case report.Done:
			making.end(nil)
			return job, nil
		case report.AwaitingApproval:
			if !told {
				told = true
				making.say(fmt.Sprintf("Waiting for another admin or auditor to approve export %s (POST /v1/exports/%s/approve)", id, id))
			}
		case report.Failed, report.Cancelled, report.Expired:
			err := fmt.Errorf("export %s is %s", id, job.State)
			if job.Failure != "" {
				err = fmt.Errorf("%w: %s", err, job.Failure)
			}
			making.end(err)
			return nil, err
		case report.Queued, report.Running:
		}
		select {
		case <-ctx.Done():
			making.end(ctx.Err())
			return nil, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// askError: the server has refused a request; its reason is in the text.
type askError struct {
	status int
	reason string
}

func (e *askError) Error() string { return e.reason }

// closed reads what is left and closes, so that the connection can be used again.
func closed(resp *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // of no use any more
	_ = resp.Body.Close()
}
