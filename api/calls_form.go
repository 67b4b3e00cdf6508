package api

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom/anteroom/api/openapi"
)

// callColumn is a column of the list of calls. Its value is a text, an int, an int64, a bool, a list of texts, or nil for what isn't known.
type callColumn struct {
	name  string
	value func(*openapi.Call) any
}

func callColumns() []callColumn {
	return []callColumn{
		{"call_id", func(c *openapi.Call) any { return c.CallId }},
		{"state", func(c *openapi.Call) any { return string(c.State) }},
		{"kind", func(c *openapi.Call) any { return string(c.Kind) }},
		{"source", func(c *openapi.Call) any { return string(c.Source) }},
		{"region", func(c *openapi.Call) any { return c.Region }},
		{"meeting_id", func(c *openapi.Call) any { return orNil(c.MeetingId) }},
		{"meeting_title", func(c *openapi.Call) any { return orNil(c.MeetingTitle) }},
		{"started_at", func(c *openapi.Call) any { return c.FirstSeenAt.Format(time.RFC3339Nano) }},
		{"ended_at", func(c *openapi.Call) any {
			if c.EndedAt == nil {
				return nil
			}
			return c.EndedAt.Format(time.RFC3339Nano)
		}},
		{"duration_ms", func(c *openapi.Call) any { return orNil(c.DurationMs) }},
		{"users", func(c *openapi.Call) any {
			labels := make([]string, len(c.Who.Users))
			for i, u := range c.Who.Users {
				labels[i] = u.Label
			}
			return labels
		}},
		{"anonymous", func(c *openapi.Call) any { return c.Who.Anonymous }},
		{"verdict", func(c *openapi.Call) any { return string(c.Verdict) }},
		{"reason", func(c *openapi.Call) any {
			if c.TopReason == nil {
				return nil
			}
			return c.TopReason.Text
		}},
		{"likely_side", func(c *openapi.Call) any { return orNil(c.LikelySide) }},
		{"issues", func(c *openapi.Call) any { return c.Issues.Total }},
		{"good", func(c *openapi.Call) any { return c.Streams.Good }},
		{"poor", func(c *openapi.Call) any { return c.Streams.Poor }},
		{"unknown", func(c *openapi.Call) any { return c.Streams.Unknown }},
		{"recorded", func(c *openapi.Call) any { return c.Recorded }},
		{"rating", func(c *openapi.Call) any { return string(c.Rating) }},
		{"tags", func(c *openapi.Call) any { return c.Tags }},
		{"sites", func(c *openapi.Call) any { return c.Sites }},
	}
}

// orNil is what a pointer points to, nil for nothing.
func orNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// columnsOf are the columns asked for, in that order: names with commas; empty for all.
func columnsOf(fields string) ([]callColumn, error) {
	known := callColumns()
	if fields == "" {
		return known, nil
	}
	var columns []callColumn
	for name := range strings.SplitSeq(fields, ",") {
		at := slices.IndexFunc(known, func(c callColumn) bool { return c.name == name })
		if at < 0 {
			return nil, invalidParameter("fields", "The parameter fields names a column that there isn't; see /openapi.json for those there are.")
		}
		columns = append(columns, known[at])
	}
	return columns, nil
}

// callsCSV writes calls with columns.
func callsCSV(calls []openapi.Call, columns []callColumn) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	record := make([]string, len(columns))
	for i, c := range columns {
		record[i] = c.name
	}
	if err := w.Write(record); err != nil {
		return nil, fmt.Errorf("write calls: %w", err)
	}
	for i := range calls {
		for k, c := range columns {
			record[k] = plainCell(cellText(c.value(&calls[i])))
		}
		if err := w.Write(record); err != nil {
			return nil, fmt.Errorf("write calls: %w", err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, fmt.Errorf("write calls: %w", err)
	}
	return out.Bytes(), nil
}

func cellText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []string:
		return strings.Join(v, "; ")
	}
	return fmt.Sprint(value)
}

// callsAnswer is a page of calls in the form that was asked for.
type callsAnswer struct {
	contentType string
	body        []byte
}

// callsAs writes a page of calls: as CSV; as JSON with the columns asked for; as JSON with all that is known of each.
func callsAs(page *openapi.CallList, asCSV bool, fields string) (callsAnswer, error) {
	columns, err := columnsOf(fields)
	if err != nil {
		return callsAnswer{}, err
	}
	if asCSV {
		text, err := callsCSV(page.Calls, columns)
		return callsAnswer{"text/csv", text}, err
	}
	var body any = page
	if fields != "" {
		chosen := make([]map[string]any, len(page.Calls))
		for i := range page.Calls {
			chosen[i] = make(map[string]any, len(columns))
			for _, c := range columns {
				chosen[i][c.name] = c.value(&page.Calls[i])
			}
		}
		body = map[string]any{"calls": chosen, "next_page_token": page.NextPageToken, "freshness": page.Freshness}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return callsAnswer{}, fmt.Errorf("write calls: %w", err)
	}
	return callsAnswer{"application/json", text}, nil
}

// VisitListCallsResponse writes it.
func (a callsAnswer) VisitListCallsResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitListUserCallsResponse writes it.
func (a callsAnswer) VisitListUserCallsResponse(w http.ResponseWriter) error { return a.write(w) }

func (a callsAnswer) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	if _, err := w.Write(a.body); err != nil {
		return fmt.Errorf("write calls: %w", err)
	}
	return nil
}
