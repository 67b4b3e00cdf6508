package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom/anteroom/api/openapi"
)

// callColumn is a column of the list of calls as CSV.
type callColumn struct {
	name string
	cell func(*openapi.Call) string
}

func callColumns() []callColumn {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format(time.RFC3339Nano)
	}
	return []callColumn{
		{"call_id", func(c *openapi.Call) string { return c.CallId }},
		{"state", func(c *openapi.Call) string { return string(c.State) }},
		{"kind", func(c *openapi.Call) string { return string(c.Kind) }},
		{"source", func(c *openapi.Call) string { return string(c.Source) }},
		{"region", func(c *openapi.Call) string { return c.Region }},
		{"meeting_id", func(c *openapi.Call) string { return value(c.MeetingId) }},
		{"meeting_title", func(c *openapi.Call) string { return value(c.MeetingTitle) }},
		{"started_at", func(c *openapi.Call) string { return at(&c.FirstSeenAt) }},
		{"ended_at", func(c *openapi.Call) string { return at(c.EndedAt) }},
		{"duration_ms", func(c *openapi.Call) string {
			if c.DurationMs == nil {
				return ""
			}
			return strconv.FormatInt(*c.DurationMs, 10)
		}},
		{"users", func(c *openapi.Call) string {
			labels := make([]string, len(c.Who.Users))
			for i, u := range c.Who.Users {
				labels[i] = u.Label
			}
			return strings.Join(labels, "; ")
		}},
		{"anonymous", func(c *openapi.Call) string { return strconv.Itoa(c.Who.Anonymous) }},
		{"verdict", func(c *openapi.Call) string { return string(c.Verdict) }},
		{"reason", func(c *openapi.Call) string {
			if c.TopReason == nil {
				return ""
			}
			return c.TopReason.Text
		}},
		{"likely_side", func(c *openapi.Call) string { return value(c.LikelySide) }},
		{"issues", func(c *openapi.Call) string { return strconv.Itoa(c.Issues.Total) }},
		{"good", func(c *openapi.Call) string { return strconv.Itoa(c.Streams.Good) }},
		{"poor", func(c *openapi.Call) string { return strconv.Itoa(c.Streams.Poor) }},
		{"unknown", func(c *openapi.Call) string { return strconv.Itoa(c.Streams.Unknown) }},
		{"recorded", func(c *openapi.Call) string { return strconv.FormatBool(c.Recorded) }},
		{"rating", func(c *openapi.Call) string { return string(c.Rating) }},
		{"tags", func(c *openapi.Call) string { return strings.Join(c.Tags, "; ") }},
		{"sites", func(c *openapi.Call) string { return strings.Join(c.Sites, "; ") }},
	}
}

// callsCSV writes calls with the columns asked for: names with commas; empty for all.
func callsCSV(calls []openapi.Call, fields string) ([]byte, error) {
	columns := callColumns()
	if fields != "" {
		known := columns
		columns = nil
		for name := range strings.SplitSeq(fields, ",") {
			at := slices.IndexFunc(known, func(c callColumn) bool { return c.name == name })
			if at < 0 {
				return nil, invalidParameter("fields", "The parameter fields names a column that there isn't; see /openapi.json for those there are.")
			}
			columns = append(columns, known[at])
		}
	}
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
			record[k] = plainCell(c.cell(&calls[i]))
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
