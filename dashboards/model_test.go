package dashboards_test

import (
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/dashboards"
)

const (
	clickhouseType = "grafana-clickhouse-datasource"
	prometheusType = "prometheus"
)

type source struct{ Type, UID string }

type board struct {
	file          string
	UID           string
	Title         string
	Description   string
	Tags          []string
	Templating    struct{ List []variable }
	Panels        []panel
	Editable      bool
	SchemaVersion int
	Time          struct{ From, To string }
	known         map[string]bool
}

type variable struct {
	Name, Label, Description, Type string
	Datasource                     source
	Query                          json.RawMessage
}

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  source
	GridPos     struct{ X, Y, W, H int }
	Targets     []target
	FieldConfig struct {
		Defaults struct {
			Unit    string
			NoValue string
		}
		Overrides []struct {
			Matcher struct {
				ID      string
				Options string
			}
		}
	}
}

type target struct {
	RefID      string
	Datasource source
	EditorType string
	QueryType  string
	Format     *int
	RawSQL     string `json:"rawSql"`
	Expr       string
}

func boards(t *testing.T) []board {
	t.Helper()
	names, err := fs.Glob(dashboards.Files(), "*.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []board
	for _, name := range names {
		text, err := fs.ReadFile(dashboards.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		b := board{file: name, known: map[string]bool{}}
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, v := range b.Templating.List {
			b.known[v.Name] = true
		}
		out = append(out, b)
	}
	return out
}

// used finds references to variables. Grafana's own begin with two underscores.
var used = regexp.MustCompile(`\$\{?([A-Za-z]\w*)`)

// TestDashboards reads them as their users would: each has a name of its own, says what it shows, and asks for what there is.
func TestDashboards(t *testing.T) {
	uids := map[string]string{}
	all := boards(t)
	for i := range all {
		b := &all[i]
		t.Run(b.file, func(t *testing.T) {
			if other := uids[b.UID]; b.UID == "" || other != "" {
				t.Errorf("uid %q is also that of %q", b.UID, other)
			}
			uids[b.UID] = b.file
			if b.Title == "" || b.Description == "" || b.SchemaVersion == 0 || b.Editable || !slices.Contains(b.Tags, "anteroom") {
				t.Errorf("it says too little of itself, or can be changed where that is lost: %q", b.Title)
			}
			for _, v := range b.Templating.List {
				if v.Label == "" || v.Description == "" || v.Type != "query" {
					t.Errorf("variable %q says too little", v.Name)
				}
				checkSource(t, v.Datasource)
			}
			checkPanels(t, b)
		})
	}
	if len(all) != 5 {
		t.Errorf("there are %d dashboards", len(all))
	}
}

func checkPanels(t *testing.T, b *board) {
	t.Helper()
	ids, titles, taken, referred := map[int]bool{}, map[string]bool{}, map[[2]int]string{}, map[string]bool{}
	for _, p := range b.Panels {
		if ids[p.ID] || p.ID == 0 || titles[p.Title] || p.Title == "" {
			t.Errorf("panel %d %q has no id or title of its own", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies over %q or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || !strings.HasSuffix(p.Description, ".") || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("panel %q lacks a description, a unit or a query", p.Title)
		}
		// Null cells of a table would say it too.
		if p.Type != "table" && p.FieldConfig.Defaults.NoValue == "" {
			t.Errorf("panel %q doesn't say why it has nothing to show", p.Title)
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.Datasource != p.Datasource {
				t.Errorf("panel %q: query %q has no letter of its own, or another source", p.Title, q.RefID)
			}
			refs[q.RefID] = true
			checkTarget(t, p.Title, q)
			for _, found := range used.FindAllStringSubmatch(q.RawSQL+q.Expr, -1) {
				referred[found[1]] = true
				if !b.known[found[1]] && !strings.HasPrefix(found[1], "__") {
					t.Errorf("panel %q uses variable %q, which is not defined", p.Title, found[1])
				}
			}
		}
	}
	for name := range b.known {
		if !referred[name] {
			t.Errorf("variable %q is used by no panel", name)
		}
	}
}

func checkTarget(t *testing.T, title string, q target) {
	t.Helper()
	checkSource(t, q.Datasource)
	switch q.Datasource.Type {
	case clickhouseType:
		if q.RawSQL == "" || q.EditorType != "sql" || q.Format == nil || (q.QueryType == "timeseries") != (*q.Format == 0) {
			t.Errorf("panel %q has a query that the data source does not understand", title)
		}
		for _, table := range regexp.MustCompile(`(?i)\b(?:FROM|JOIN)\s+(\w+)`).FindAllStringSubmatch(q.RawSQL, -1) {
			if !strings.HasPrefix(table[1], "analytics_") {
				t.Errorf("panel %q reads %s", title, table[1])
			}
		}
	case prometheusType:
		if q.Expr == "" || strings.Count(q.Expr, "(") != strings.Count(q.Expr, ")") {
			t.Errorf("panel %q asks for %q", title, q.Expr)
		}
	}
}

// checkSource wants one of the sources that deploy/grafana provisions.
func checkSource(t *testing.T, s source) {
	t.Helper()
	if s != (source{clickhouseType, "anteroom"}) && s != (source{prometheusType, "anteroom-prometheus"}) {
		t.Errorf("source %+v is not provisioned", s)
	}
}
