package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/kafka"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "anteroom.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultsAreValid(t *testing.T) {
	cfg, err := config.Load(config.Source{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), cfg, nilIsEmpty); diff != "" {
		t.Errorf("nothing read is not the default (-want +got):\n%s", diff)
	}
	if err := cfg.Validate(config.Run); err != nil {
		t.Errorf("the defaults don't run: %v", err)
	}
}

func TestLayers(t *testing.T) {
	path := write(t, `
api: {listen: "127.0.0.1:1"}
embedded: {data: /from/file, demo: false}
kafka:
  brokers: [one:9092, two:9092]
  timeout: 1m
ingest:
  sources:
    - name: azure
      kind: acs
      org: contoso
      topics: [calls]
      kafka: {brokers: ["hub:9093"], tls: {enabled: true}}
regions:
  - name: apac
    clickhouse: {addresses: ["db:9000"], tls: {enabled: true}}
    kafka: {brokers: ["broker:9092"]}
quality:
  overrides:
    call-diagnostics: {all: {jitter_ms_avg: 40}}
`)
	cfg, err := config.Load(config.Source{
		Environ: []string{
			"ANTEROOM_CONFIG=" + path,
			"ANTEROOM_LISTEN=127.0.0.1:2",
			"ANTEROOM_DATA=/from/environment",
			"ANTEROOM_DEMO=on",
			"ANTEROOM_KAFKA_BROKERS=three:9092",
			"ANTEROOM_CLICKHOUSE_READ_TIMEOUT=90s",
			"ANTEROOM_QUALITY_OVERRIDES={cqd: {audio: {loss_ratio: 0.2}}}",
			"ANTEROOM_SERVICE_HOST=10.0.0.1", "ANTEROOM_PORT_8480_TCP_ADDR=10.0.0.1", "ANTEROOM_CHDB=/lib/libchdb.so",
			"ANTEROOM_INGEST_REGION=", "PATH=/bin",
		},
		Flags: map[string]any{"embedded.data": "/from/flag"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.API.Listen = "127.0.0.1:2"
	want.Embedded.Data = "/from/flag"
	want.Kafka.Brokers = []string{"three:9092"}
	want.Kafka.Timeout = time.Minute
	want.ClickHouse.ReadTimeout = 90 * time.Second
	want.Quality.Overrides = map[string]map[string]map[string]float64{
		"call-diagnostics": {"all": {"jitter_ms_avg": 40}},
		"cqd":              {"audio": {"loss_ratio": 0.2}},
	}
	want.Ingest.Sources = []ingest.SourceConfig{{
		Name: "azure", Kind: "acs", Org: "contoso", Topics: []string{"calls"},
		Kafka: kafka.Config{Brokers: []string{"hub:9093"}, TLS: kafka.TLSConfig{Enabled: true}},
	}}
	apac := config.DefaultRegion() // what the entry doesn't say
	apac.Name, apac.ClickHouse.Addresses, apac.ClickHouse.TLS.Enabled, apac.Kafka.Brokers = "apac", []string{"db:9000"}, true, []string{"broker:9092"}
	want.Regions = []config.Region{apac}
	if diff := cmp.Diff(want, cfg, nilIsEmpty); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	const password = "not-to-be-shown"
	for _, tt := range []struct {
		name, file string
		environ    []string
		want       []string
	}{
		{
			name: "unknown key", file: "kafka:\n  broker: [x:1]\n",
			want: []string{"anteroom.yaml:2: kafka.broker: unknown key; did you mean kafka.brokers?"},
		},
		{
			name: "key of another section", file: "listen: x:1\n",
			want: []string{"anteroom.yaml:1: listen: unknown key; did you mean api.listen?"},
		},
		{
			name: "unknown key in a list", file: "ingest:\n  sources:\n    - name: a\n      sort: acs\n",
			want: []string{"anteroom.yaml:4: ingest.sources[0].sort: unknown key; known here are name, kind, org, topics, group, kafka"},
		},
		{
			name: "unknown key of a region", file: "regions:\n  - name: a\n    kafka:\n      broker: [x:1]\n",
			want: []string{"anteroom.yaml:4: regions[0].kafka.broker: unknown key; did you mean regions[0].kafka.brokers?"},
		},
		{
			name: "every mistake at once", file: "kafka: {timeout: 30}\nembedded:\n  demo: maybe\n  log_days: many\n",
			want: []string{
				`anteroom.yaml:1: kafka.timeout: "30" is not a duration with its unit, as 500ms, 30s or 168h`,
				`anteroom.yaml:3: embedded.demo: "maybe" is not true or false`,
				`anteroom.yaml:4: embedded.log_days: "many" is not a whole number`,
			},
		},
		{name: "key twice", file: "log: {level: info}\nlog: {level: warn}\n", want: []string{"anteroom.yaml:2: log: stands here a second time"}},
		{name: "no value", file: "log:\n", want: []string{"anteroom.yaml:1: log: has no value; give one, or remove the line to keep the default"}},
		{name: "a value for a section", file: "log: info\n", want: []string{"anteroom.yaml:1: log: takes a section of keys"}},
		{name: "a section for a value", file: "log: {level: {a: b}}\n", want: []string{"anteroom.yaml:1: log.level: takes a text, not a list or a section"}},
		{name: "no YAML", file: "log: [\n", want: []string{"anteroom.yaml: line 1: did not find expected node content"}},
		{name: "two documents", file: "log: {level: info}\n---\nlog: {level: warn}\n", want: []string{"anteroom.yaml: holds more than one document"}},
		{
			name: "unknown variable", environ: []string{"ANTEROOM_KAFKA_BROKER=x:1"},
			want: []string{"ANTEROOM_KAFKA_BROKER: unknown variable; did you mean ANTEROOM_KAFKA_BROKERS?"},
		},
		{
			name: "bad variable", environ: []string{"ANTEROOM_INGEST_FLUSH_ROWS=1e5", "ANTEROOM_INGEST_SOURCES=[{nam: x}]"},
			want: []string{
				`ANTEROOM_INGEST_FLUSH_ROWS: "1e5" is not a whole number`,
				"ANTEROOM_INGEST_SOURCES: ingest.sources[0].nam: unknown key; did you mean ingest.sources[0].name?",
			},
		},
		{
			name: "one setting by two names", environ: []string{"ANTEROOM_DATA=a", "ANTEROOM_EMBEDDED_DATA=b"},
			want: []string{"ANTEROOM_EMBEDDED_DATA: says the same as ANTEROOM_DATA; set one of them"},
		},
		{
			name: "secret of the wrong kind", file: "kafka: {sasl: {password: [" + password + "]}}\n",
			want: []string{"anteroom.yaml:1: kafka.sasl.password: takes a text, not a list or a section"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := config.Source{Environ: tt.environ}
			if tt.file != "" {
				src.File = write(t, tt.file)
			}
			_, err := config.Load(src)
			if err == nil {
				t.Fatal("was accepted")
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), password) {
				t.Error("the error shows a secret")
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	_, err := config.Load(config.Source{File: filepath.Join(t.TempDir(), "none.yaml")})
	if err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

func TestValidateNamesTheKey(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mode   config.Mode
		change func(*config.Config)
		want   []string
	}{
		{"serve without brokers", config.Serve, func(*config.Config) {}, []string{"kafka.brokers: name at least one host:port"}},
		{
			"run with a Kafka of one's own", config.Run, func(c *config.Config) { c.Kafka.Brokers = []string{"a:1"} },
			[]string{"kafka: `anteroom run` starts its own; leave this section out, or use `anteroom serve`"},
		},
		{
			"run with regions of one's own", config.Run, func(c *config.Config) { c.Regions = []config.Region{config.DefaultRegion()} },
			[]string{"regions: `anteroom run` starts its own engines; name further regions in embedded.regions, or use `anteroom serve`"},
		},
		{
			"embedded regions", config.Run, func(c *config.Config) { c.Embedded.Regions = []string{"emea", "apac", "apac", "A"} },
			[]string{
				"embedded.regions[0]: emea is the home region (ingest.region) already", "embedded.regions[2]: apac is there already",
				"embedded.regions[3]: must be 1 to 32 of a-z, 0-9, '-'",
			},
		},
		{
			"regions", config.Serve, func(c *config.Config) {
				c.Kafka.Brokers = []string{"a:1"}
				for _, name := range []string{"amer", "emea", "amer", "no region"} {
					r := config.DefaultRegion()
					r.Name, r.ClickHouse.Addresses, r.Kafka.Brokers = name, []string{name + ":1"}, []string{"a:1"}
					c.Regions = append(c.Regions, r)
				}
				c.Regions[0].ClickHouse.Addresses, c.Regions[0].Kafka.Brokers = c.ClickHouse.Addresses, nil
			},
			[]string{
				"regions[0].kafka.brokers: name at least one host:port",
				"regions[0].clickhouse.database: is that of the region emea",
				"regions[1].name: emea is there already; the home region is ingest.region",
				"regions[2].name: amer is there already; the home region is ingest.region",
				"regions[3].name: must be 1 to 32 of a-z, 0-9, '-'",
			},
		},
		{
			"keys that are gone before the message is there", config.Run, func(c *config.Config) {
				c.Sealing.Slack, c.Sealing.Interval = 5*time.Second, time.Millisecond
			},
			[]string{
				"sealing.interval: is 1ms; give whole seconds from 1s to 1h",
				"sealing.slack: is 5s; give more than media.meeting.record_timeout, which is 10s",
			},
		},
		{
			"several sections", config.Run, func(c *config.Config) {
				c.Log.Level = "loud"
				c.Embedded.MemoryRatio = 2
				c.Embedded.LogDays = 0
				c.Quality.Profile = "best"
				c.Labelling.Key = "short"
			},
			[]string{
				"embedded.memory_ratio: 2 is not above 0 and up to 1",
				"embedded.log_days: 0 is not above zero",
				`quality.profile: unknown name "best"; known are call-diagnostics, cqd, real-time, insights`,
				"labelling.key: has fewer than 32 bytes",
				`log.level: "loud" is not one of debug, info, warn, error`,
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config.Default()
			tt.change(&cfg)
			err := cfg.Validate(tt.mode)
			if err == nil {
				t.Fatal("was accepted")
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadForGathersAllAtOnce(t *testing.T) {
	path := write(t, "api: {listen: nowhere}\nkafka:\n  broker: [a:1]\nembedded: {log_days: many}\nlog: {level: loud}\n")
	_, mode, err := config.LoadFor(config.Source{File: path}, "")
	if err == nil {
		t.Fatal("was accepted")
	}
	got := strings.Split(err.Error(), "\n")
	want := []string{
		"anteroom.yaml:3: kafka.broker: unknown key; did you mean kafka.brokers?",
		`anteroom.yaml:4: embedded.log_days: "many" is not a whole number`,
	}
	if mode != config.Serve || len(got) < 4 {
		t.Fatalf("for %q:\n%v", mode, err)
	}
	if diff := cmp.Diff(want, got[:2]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, part := range []string{"\napi.listen: ", "\nlog.level: "} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("nothing about %s in:\n%v", part, err)
		}
	}
	if strings.Contains(err.Error(), "name at least one host:port") {
		t.Errorf("misspelt and said to be missing as well:\n%v", err)
	}
}
