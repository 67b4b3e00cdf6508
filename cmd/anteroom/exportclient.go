package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

// exportClient asks a server for exports.
type exportClient struct {
	base       *url.URL
	org, token string
}

// exportJob is what the server tells of an export.
type exportJob struct {
	ID      string           `json:"export_id"`
	State   string           `json:"state"`
	Percent float64          `json:"percent"`
	Rows    int64            `json:"rows"`
	Failure string           `json:"failure"`
	Files   []exportFileInfo `json:"files"`
}

type exportFileInfo struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func (c *exportClient) do(ctx context.Context, method, path string, body io.Reader, header map[string]string) (*http.Response, error) {
	target := c.base.JoinPath(path)
	target.RawQuery = url.Values{"org": {c.org}}.Encode()
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, fmt.Errorf("no answer from %s: %w", c.base, err)
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp, nil
	}
	defer closed(resp)
	var problem struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Field  string `json:"field"`
	}
	reason := "the server answers " + resp.Status
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&problem) == nil && problem.Title != "" {
		reason = problem.Title + ": " + problem.Detail
	}
	if flag := exportFlag(problem.Field); flag != "" {
		reason = flag + ": " + reason
	}
	return nil, &askError{resp.StatusCode, fmt.Sprintf("%s: %s", c.base, reason)}
}

func (c *exportClient) ask(ctx context.Context, body map[string]any, key string) (*exportJob, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.readJob(ctx, http.MethodPost, "v1/exports", bytes.NewReader(text), map[string]string{"Content-Type": "application/json", "Idempotency-Key": key})
}

func (c *exportClient) job(ctx context.Context, id string) (*exportJob, error) {
	return c.readJob(ctx, http.MethodGet, "v1/exports/"+id, http.NoBody, nil)
}

func (c *exportClient) readJob(ctx context.Context, method, path string, body io.Reader, header map[string]string) (*exportJob, error) {
	resp, err := c.do(ctx, method, path, body, header)
	if err != nil {
		return nil, err
	}
	defer closed(resp)
	var job exportJob
	if err := json.NewDecoder(resp.Body).Decode(&job); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return &job, nil
}

// downloadAttempts is how often a download that broke off is gone on with.
const downloadAttempts = 5

// download fetches a file into another of a name that tells that it isn't whole, goes on where it broke off, and gives it its name once it is what
// the server said.
func (c *exportClient) download(ctx context.Context, id string, f exportFileInfo, path string, show *transfers) error {
	partial := path + ".part"
	file, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	transfer := show.begin(f.Name, "Fetching "+f.Name, f.Bytes, true)
	err = c.downloadInto(ctx, id, f, file, transfer)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(partial, path)
	}
	transfer.end(err)
	return err
}

func (c *exportClient) downloadInto(ctx context.Context, id string, f exportFileInfo, file *os.File, t *transfer) error {
	sum, have := sha256.New(), int64(0)
	for attempt := 1; have < f.Bytes || attempt == 1; attempt++ {
		n, err := c.part(ctx, id, f, have, io.MultiWriter(file, sum, t))
		have += n
		var refused *askError
		if err != nil && (attempt == downloadAttempts || ctx.Err() != nil || errors.As(err, &refused)) {
			return err
		}
		if err != nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
		}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); have != f.Bytes || got != f.SHA256 {
		return fmt.Errorf("the file isn't what the server said: %d bytes with SHA-256 %s instead of %d with %s", have, got, f.Bytes, f.SHA256)
	}
	return file.Sync()
}

// part fetches what is missing of a file.
func (c *exportClient) part(ctx context.Context, id string, f exportFileInfo, have int64, to io.Writer) (int64, error) {
	header := map[string]string{}
	if have > 0 {
		header["Range"], header["If-Range"] = fmt.Sprintf("bytes=%d-", have), `"`+f.SHA256+`"`
	}
	resp, err := c.do(ctx, http.MethodGet, "v1/exports/"+id+"/files/"+url.PathEscape(f.Name), http.NoBody, header)
	if err != nil {
		return 0, err
	}
	defer closed(resp)
	if have > 0 && resp.StatusCode != http.StatusPartialContent {
		return 0, &askError{resp.StatusCode, "the file on the server has changed meanwhile"}
	}
	n, err := io.Copy(to, io.LimitReader(resp.Body, f.Bytes-have+1))
	if err != nil {
		return n, fmt.Errorf("the download broke off: %w", err)
	}
	return n, nil
}
