package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/anteroom/anteroom/dashboards"
	"github.com/anteroom/anteroom/internal/app"
	"github.com/anteroom/anteroom/internal/config"
)

// TestMetricsThatAreAskedFor has each expression of the shipped alert rules and dashboards ask for metrics, and labels of theirs, that a service registers.
func TestMetricsThatAreAskedFor(t *testing.T) {
	known := registered(t)
	if len(known["anteroom_ingest_lag_records"]) != 3 || len(known) < 40 {
		t.Fatalf("these %d can't be all metrics, or lack labels", len(known))
	}
	t.Run("alert rules", func(t *testing.T) { checkRules(t, known) })
	t.Run("dashboards", func(t *testing.T) {
		asked := 0
		names, err := fs.Glob(dashboards.Files(), "*.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(dashboards.Files(), name)
			if err != nil {
				t.Fatal(err)
			}
			var board struct {
				Panels []struct {
					Title   string
					Targets []struct{ Expr string }
				}
				Templating struct {
					List []struct{ Name, Definition string }
				}
			}
			if err := json.Unmarshal(text, &board); err != nil {
				t.Fatal(err)
			}
			for _, p := range board.Panels {
				for _, q := range p.Targets {
					if q.Expr != "" {
						asked++
						checkExpression(t, name+": "+p.Title, q.Expr, known)
					}
				}
			}
			for _, v := range board.Templating.List {
				if metric, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
					checkExpression(t, name+": "+v.Name, metric, known)
				}
			}
		}
		if asked < 20 {
			t.Errorf("only %d expressions were found", asked)
		}
	})
}

func checkRules(t *testing.T, known map[string][]string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/prometheus/anteroom.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	alerts := map[string]bool{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || alerts[rule.Alert] {
				t.Errorf("group %s has an alert %q that has no name of its own", group.Name, rule.Alert)
			}
			alerts[rule.Alert] = true
			if !slices.Contains([]string{"warning", "critical"}, rule.Labels["severity"]) || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s says too little: %+v", rule.Alert, rule)
			}
			if _, err := time.ParseDuration(rule.For); rule.For != "" && err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
			}
			checkExpression(t, rule.Alert, rule.Expr, known)
			for _, label := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(rule.Annotations["summary"]+rule.Annotations["description"], -1) {
				if !strings.Contains(rule.Expr, label[1]) && !labelOfAny(known, rule.Expr, label[1]) {
					t.Errorf("%s speaks of a label %s, which it has not", rule.Alert, label[1])
				}
			}
		}
	}
	if len(alerts) < 15 {
		t.Errorf("only %d alerts were found", len(alerts))
	}
}

var (
	metricName = regexp.MustCompile(`anteroom_\w+`)
	ofSeries   = regexp.MustCompile(`_(bucket|sum|count)$`)
	grouping   = regexp.MustCompile(`\b(?:by|on|without|ignoring)\s*\(([^)]*)\)`)
	matchers   = regexp.MustCompile(`\{([^}]*)\}`)
)

// checkExpression reads an expression of PromQL as far as names go.
func checkExpression(t *testing.T, where, expr string, known map[string][]string) {
	t.Helper()
	names := metricName.FindAllString(expr, -1)
	if len(names) == 0 && !strings.HasPrefix(expr, "up{") { // what Prometheus itself says of whom it asks
		t.Errorf("%s asks for no metric of ours", where)
	}
	for _, name := range names {
		if labelsOf(known, name) == nil {
			t.Errorf("%s asks for %s, which is none", where, name)
		}
	}
	var labels []string
	for _, found := range grouping.FindAllStringSubmatch(expr, -1) {
		labels = append(labels, strings.Split(found[1], ",")...)
	}
	for _, found := range matchers.FindAllStringSubmatch(expr, -1) {
		for _, one := range strings.Split(found[1], ",") {
			labels = append(labels, strings.FieldsFunc(one, func(r rune) bool { return strings.ContainsRune("=~!", r) })[0])
		}
	}
	for _, label := range labels {
		if !labelOfAny(known, expr, strings.TrimSpace(label)) {
			t.Errorf("%s asks for the label %q, which none of its metrics has", where, label)
		}
	}
	if opened, closed := strings.Count(expr, "("), strings.Count(expr, ")"); opened != closed && !strings.HasSuffix(expr, ")") {
		t.Errorf("%s opens %d parentheses and closes %d", where, opened, closed)
	}
}

// labelOfAny tells whether a metric in an expression has a label, or Prometheus gives it one.
func labelOfAny(known map[string][]string, expr, label string) bool {
	if slices.Contains([]string{"instance", "job", "le"}, label) {
		return true
	}
	return slices.ContainsFunc(metricName.FindAllString(expr, -1), func(name string) bool { return slices.Contains(labelsOf(known, name), label) })
}

// labelsOf are those of a metric; nil if there is no such metric.
func labelsOf(known map[string][]string, name string) []string {
	if labels, ok := known[name]; ok {
		return labels
	}
	return known[ofSeries.ReplaceAllString(name, "")]
}

// registered are the metrics of a service with all roles, also those of which nothing has been counted yet, with their labels.
func registered(t *testing.T) map[string][]string {
	t.Helper()
	cfg, err := (&cli{}).validated(config.Run, map[string]any{"embedded.data": t.TempDir(), "api.listen": "127.0.0.1:0", "embedded.demo": false})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	a := app.New(log)
	c := &cli{stdin: strings.NewReader(""), stdout: new(buffer), stderr: new(buffer)}
	t.Cleanup(func() {
		if err := a.Stop(app.DefaultStopTimeout); err != nil {
			t.Error(err)
		}
	})
	s, err := c.startOnOneMachine(context.WithoutCancel(t.Context()), a, log, cfg)
	if err != nil {
		t.Fatal(err)
	}
	list := make(chan *prometheus.Desc)
	go func() {
		s.metrics.Describe(list)
		close(list)
	}()
	out := map[string][]string{}
	described := regexp.MustCompile(`fqName: "(\w+)", .* constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)
	for desc := range list {
		found := described.FindStringSubmatch(desc.String())
		if found == nil {
			t.Fatalf("%s is described otherwise", desc)
		}
		labels := []string{}
		for _, one := range strings.Split(found[2], ",") {
			if name, _, ok := strings.Cut(one, "="); ok {
				labels = append(labels, name)
			}
		}
		for _, one := range strings.Split(found[3], ",") {
			if one != "" {
				labels = append(labels, one)
			}
		}
		slices.Sort(labels)
		out[found[1]] = labels
	}
	return out
}
