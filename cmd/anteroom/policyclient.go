package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/anteroom/anteroom/policy/author"
)

// policyClient asks a server about one organisation's policy.
type policyClient struct {
	base  *url.URL
	token string
}

// activePolicy is what the server tells of what is active.
type activePolicy struct {
	Revision        int    `json:"revision"`
	Version         uint64 `json:"version"`
	Digest          string `json:"digest"`
	RuntimeRevision string `json:"runtime_revision"`
}

// policyRefusal is what the server has against a policy.
type policyRefusal struct {
	askError
	Errors      []string
	Diagnostics []author.Diagnostic
}

func (p *policyClient) active(ctx context.Context) (activePolicy, error) {
	var out activePolicy
	err := p.ask(ctx, http.MethodGet, "active", nil, "", &out)
	return out, err
}

// change activates a revision or rolls back to one, in the place of a version.
func (p *policyClient) change(ctx context.Context, act, field string, revision int, message string, version uint64) (activePolicy, error) {
	body := map[string]any{field: revision}
	if message != "" {
		body["message"] = message
	}
	var out activePolicy
	err := p.ask(ctx, http.MethodPost, act, body, strconv.Quote(strconv.FormatUint(version, 10)), &out)
	return out, err
}

// ask sends a request and reads its answer. It fails with *policyRefusal where the server refuses.
func (p *policyClient) ask(ctx context.Context, method, path string, body any, match string, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, p.base.JoinPath(path).String(), bytes.NewReader(text))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "If-Match": match} {
		if value != "" && (body != nil || name != "Content-Type") {
			req.Header.Set(name, value)
		}
	}
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return fmt.Errorf("no answer from %s: %w", p.base.Host, err)
	}
	defer closed(resp)
	if resp.StatusCode < http.StatusBadRequest {
		if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(into); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		return nil
	}
	var problem struct {
		Title       string              `json:"title"`
		Detail      string              `json:"detail"`
		Errors      []string            `json:"errors"`
		Diagnostics []author.Diagnostic `json:"diagnostics"`
	}
	reason := "the server answers " + resp.Status
	if json.NewDecoder(io.LimitReader(resp.Body, 4<<20)).Decode(&problem) == nil && problem.Title != "" {
		reason = problem.Title + ": " + problem.Detail
	}
	return &policyRefusal{askError{resp.StatusCode, p.base.Host + ": " + reason}, problem.Errors, problem.Diagnostics}
}

func sortedNames(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }
