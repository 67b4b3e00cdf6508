package retention_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/backup"
	"github.com/anteroom/anteroom/retention/journal"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/store"
)

// TestAlertRules reads the rules that are shipped for Prometheus, and wants each metric in them to be one that there is.
func TestAlertRules(t *testing.T) {
	text, err := os.ReadFile("../deploy/prometheus/anteroom.rules.yaml")
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
	known := knownMetrics(t)
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	alerts := map[string]bool{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || alerts[rule.Alert] {
				t.Errorf("group %s has an alert %q that has no name of its own", group.Name, rule.Alert)
			}
			alerts[rule.Alert] = true
			if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s says too little: %+v", rule.Alert, rule)
			}
			if _, err := time.ParseDuration(rule.For); rule.For != "" && err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
			}
			names := regexp.MustCompile(`anteroom_\w+`).FindAllString(rule.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%s asks for no metric of ours", rule.Alert)
			}
			for _, name := range names {
				if !known[name] && !known[suffix.ReplaceAllString(name, "")] {
					t.Errorf("%s asks for %s, which is none", rule.Alert, name)
				}
			}
			if opened, closed := strings.Count(rule.Expr, "("), strings.Count(rule.Expr, ")"); opened != closed {
				t.Errorf("%s opens %d parentheses and closes %d", rule.Alert, opened, closed)
			}
		}
	}
	if len(alerts) < 5 {
		t.Errorf("only %d alerts were found", len(alerts))
	}
}

// knownMetrics are the names that the sweep, the ledger, the journal and backups register.
func knownMetrics(t *testing.T) map[string]bool {
	t.Helper()
	described := &descriptions{}
	if _, err := retention.NewSweepMetrics(described); err != nil {
		t.Fatal(err)
	}
	cfg := ledger.DefaultConfig()
	cfg.Dir = t.TempDir()
	s, err := store.Open(store.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := ledger.Open(cfg, "emea", ledger.Deps{Store: s, Metrics: described}); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.TempDir(), journal.Deps{Store: s, Region: "emea", Metrics: described})
	if err == nil {
		err = errors.Join(described.Register(backup.OverdueGauge("emea")), j.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	name := regexp.MustCompile(`fqName: "(\w+)"`)
	for _, text := range described.all {
		out[name.FindStringSubmatch(text)[1]] = true
	}
	return out
}

// descriptions is a registry that keeps what is registered in words.
type descriptions struct{ all []string }

func (d *descriptions) Register(c prometheus.Collector) error {
	list := make(chan *prometheus.Desc, 100)
	c.Describe(list)
	close(list)
	for desc := range list {
		d.all = append(d.all, desc.String())
	}
	return nil
}

func (d *descriptions) MustRegister(list ...prometheus.Collector) {
	for _, c := range list {
		_ = d.Register(c)
	}
}

func (*descriptions) Unregister(prometheus.Collector) bool { return true }
