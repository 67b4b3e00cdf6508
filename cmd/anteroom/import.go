package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/internal/config"
)

// importOptions are the flags of import.
type importOptions struct {
	server, org, as, data, tokenFile string
	// token proves who imports; "" for nobody.
	token string
}

func (c *cli) importCommand() *cobra.Command {
	var opt importOptions
	cmd := &cobra.Command{
		Use:   "import acs|rtcstats|webrtc-internals FILE…",
		Short: "Import recorded statistics into a running Anteroom",
		Long: `Hands files to a running Anteroom, waits until their rows can be queried and prints the ids of their calls, one per line.
FILE may be compressed with gzip; - is standard input. The same file imported again gives the same calls and no doubles.

A file that can't be read to its end is refused as a whole, with its line and the reason; the other files are imported all the same, and
the exit code is 1.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("say what is to be imported: acs, rtcstats or webrtc-internals")
			}
			return fmt.Errorf("unknown format %q: give acs, rtcstats or webrtc-internals", args[0])
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&opt.server, "server", "http://127.0.0.1:8480", "`URL` of the running Anteroom")
	flags.StringVar(&opt.org, "org", demoOrg, "`organisation` that hosted the calls")
	flags.StringVar(&opt.tokenFile, "token-file", "", "`file` with a token of an admin of the organisation; - is standard input")
	flags.StringVar(&opt.data, "data", config.Default().Embedded.Data, "data `folder` of an Anteroom on this machine, which needs no token then")
	_ = cmd.MarkFlagDirname("data")
	flags.StringVar(&opt.as, "as", "guest", "whom the files' participants are taken for: `guest` or org")
	_ = cmd.RegisterFlagCompletionFunc("as", cobra.FixedCompletions([]string{"guest", "org"}, cobra.ShellCompDirectiveNoFileComp))
	for _, format := range []struct{ name, short string }{
		{"acs", "Azure Communication Services diagnostic records (JSON, or JSON lines)"},
		{"rtcstats", "rtcstats dumps"},
		{"webrtc-internals", "Chrome's webrtc-internals dumps"},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:   format.name + " FILE…",
			Short: format.short,
			Args:  cobra.MinimumNArgs(1),
			RunE: func(cmd *cobra.Command, files []string) error {
				return c.importFiles(cmd.Context(), format.name, opt, files)
			},
		})
	}
	return cmd
}

type importedCall struct {
	CallID string `json:"call_id"`
	File   string `json:"file"`
}

type importError struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Reason string `json:"reason"`
}

// Error is FILE: line N: reason.
func (e *importError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s: line %d: %s", e.File, e.Line, e.Reason)
	}
	return e.File + ": " + e.Reason
}

type imported struct {
	Calls  []importedCall `json:"calls"`
	Errors []*importError `json:"errors,omitempty"`
}

// importFiles imports one file after the other. A bad file doesn't keep the others from being imported; a server that can't be
// reached does.
func (c *cli) importFiles(ctx context.Context, format string, opt importOptions, files []string) error {
	base, err := serverURL(opt.server)
	if err != nil {
		return err
	}
	if !event.ValidOrg(opt.org) {
		return fmt.Errorf("%w: --org: %q must be 1 to 63 of a-z, 0-9, '_', '.', '-', starting with a letter or digit", errConfig, opt.org)
	}
	if opt.as != "guest" && opt.as != "org" {
		return fmt.Errorf("%w: --as: %q is neither guest nor org", errConfig, opt.as)
	}
	if opt.token, err = c.serverToken(opt.server, opt.tokenFile, tokenOptions{data: opt.data, roles: []string{string(identity.Operator)}}); err != nil {
		return err
	}
	result := imported{Calls: []importedCall{}}
	show := c.newUploads()
	var fatal error
	for _, file := range files {
		calls, err := c.importFile(ctx, base, format, opt, file, show)
		var bad *importError
		if errors.As(err, &bad) {
			result.Errors = append(result.Errors, bad)
			continue
		}
		if fatal = err; fatal != nil {
			break
		}
		for _, id := range calls {
			result.Calls = append(result.Calls, importedCall{CallID: id, File: file})
		}
	}
	show.stop()
	return c.reportImport(result, fatal)
}

func (c *cli) reportImport(result imported, fatal error) error {
	var text strings.Builder
	for _, call := range result.Calls {
		text.WriteString(call.CallID + "\n")
	}
	if err := c.print(result, text.String()); err != nil {
		return err
	}
	for _, e := range result.Errors {
		fmt.Fprintln(c.stderr, e)
	}
	if fatal != nil {
		return fatal
	}
	if len(result.Errors) > 0 {
		return errSaid
	}
	return nil
}

// importFile hands one file over and returns its calls. An *importError is about the file, every other about the server.
func (c *cli) importFile(ctx context.Context, base *url.URL, format string, opt importOptions, file string, show *uploads) ([]string, error) {
	body, size, err := c.open(file)
	if err != nil {
		return nil, &importError{File: file, Reason: err.Error()}
	}
	defer body.Close()
	upload := show.begin(file, size)
	calls, err := post(ctx, base, format, opt, file, upload.count(body), size)
	upload.end(err)
	return calls, err
}

func (c *cli) open(file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		return io.NopCloser(c.stdin), -1, nil
	}
	f, err := os.Open(file)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err // the line begins with the file already
		}
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("is a folder; name its files")
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return f, -1, nil
	}
	return f, info.Size(), nil
}

// post sends a file to POST /v1/imports, which answers when its rows can be queried.
func post(ctx context.Context, base *url.URL, format string, opt importOptions, file string, body io.Reader, size int64) ([]string, error) {
	query := url.Values{"format": {format}, "org": {opt.org}, "as": {opt.as}}
	if file != "-" {
		query.Set("filename", filepath.Base(file))
	}
	target := base.JoinPath("v1/imports")
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = size // -1: sent in chunks
	if size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	if opt.token != "" {
		req.Header.Set("Authorization", "Bearer "+opt.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the address, whose query is of no use to anybody
		}
		return nil, fmt.Errorf("no answer from %s: %w; is `anteroom run` running?", base, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(file, base, resp)
	}
	var answer struct {
		Calls []struct {
			CallID string `json:"call_id"`
		} `json:"calls"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", base, err)
	}
	ids := make([]string, len(answer.Calls))
	for i, call := range answer.Calls {
		ids[i] = call.CallID
	}
	return ids, nil
}

// refusal reads problem details (RFC 9457). Two codes are about the file, all others about the server or the request.
func refusal(file string, base *url.URL, resp *http.Response) error {
	var problem struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
		Line   int    `json:"line"`
	}
	err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&problem)
	reason := problem.Detail
	if reason == "" {
		reason = problem.Title
	}
	if err != nil || reason == "" {
		reason = "the server answers " + resp.Status
	}
	if problem.Code != "invalid_file" && problem.Code != "body_too_large" {
		return fmt.Errorf("%s: %s", base, reason)
	}
	if problem.Line > 0 {
		reason = strings.TrimPrefix(reason, fmt.Sprintf("line %d: ", problem.Line))
	}
	return &importError{File: file, Line: problem.Line, Reason: reason}
}
