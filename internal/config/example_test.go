package config_test

import (
	"bufio"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/anteroom/anteroom/internal/config"
)

const example = "../../anteroom.example.yaml"

// nilIsEmpty: a list that is not there and one without entries are configured alike.
var nilIsEmpty = cmpopts.EquateEmpty()

// The example file has every key that there is, with its default, and no other.
func TestExampleFileIsTheDefaults(t *testing.T) {
	cfg, err := config.Load(config.Source{File: example})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), cfg, nilIsEmpty); diff != "" {
		t.Errorf("(-defaults +file):\n%s", diff)
	}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keys("", config.Default().Masked()), keys("", file)); diff != "" {
		t.Errorf("keys (-structs +file):\n%s", diff)
	}
}

// The commented examples are read too, and name every key of a source.
func TestExamplesInComments(t *testing.T) {
	file, err := os.Open(example)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out strings.Builder
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		for _, key := range []string{"sources: []", "overrides: {}"} {
			if strings.TrimSpace(line) == key {
				line = ""
			}
		}
		if indented, ok := strings.CutPrefix(line, "  # "); ok && (strings.HasPrefix(indented, "  ") || slices.Contains([]string{"sources:", "overrides:"}, indented)) {
			line = "  " + indented
		}
		out.WriteString(line + "\n")
	}
	cfg, err := config.Load(config.Source{File: write(t, out.String())})
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(config.Run); err != nil {
		t.Error(err)
	}
	if len(cfg.Ingest.Sources) != 1 || len(cfg.Quality.Overrides) != 1 {
		t.Fatalf("the examples were not found: %d sources, %d overrides", len(cfg.Ingest.Sources), len(cfg.Quality.Overrides))
	}
	for key := range leafKeys(reflect.TypeOf(cfg.Ingest.Sources[0])) {
		if !strings.Contains(out.String(), " "+key+":") {
			t.Errorf("the example of a source lacks %s", key)
		}
	}
}

// The commented example of a further region names every key there is of one, and can be used.
func TestExampleOfARegion(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n# regions:\n")
	if !found {
		t.Fatal("the example was not found")
	}
	after, _, _ = strings.Cut(after, "\n\n")
	entry := "regions:\n" + strings.ReplaceAll("\n"+after, "\n# ", "\n ")
	cfg, err := config.Load(config.Source{File: write(t, entry)})
	if err != nil {
		t.Fatalf("%v\n%s", err, entry)
	}
	if err := cfg.ValidateClickHouse(); err != nil {
		t.Error(err)
	}
	cfg.Kafka.Brokers = []string{"localhost:9092"}
	if err := cfg.Validate(config.Serve); err != nil {
		t.Error(err)
	}
	for key := range leafKeys(reflect.TypeFor[config.Region]()) {
		if !strings.Contains(entry, " "+key+":") {
			t.Errorf("the example of a region lacks %s", key)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	const word = "a-secret-that-is-longer-than-32-bytes"
	cfg := config.Default()
	cfg.Kafka.SASL.Password, cfg.ClickHouse.Password, cfg.Labelling.Key = word, word, word
	cfg.ClickHouse.PasswordFile = "/run/secrets/file"
	text, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), word) {
		t.Errorf("shown:\n%s", text)
	}
	if n := strings.Count(string(text), "'********'"); n != 3 {
		t.Errorf("%d masked values, want 3:\n%s", n, text)
	}
	if !strings.Contains(string(text), "/run/secrets/file") {
		t.Error("the name of a password's file is no secret, but is not shown")
	}
}

// What check-config prints can be read again.
func TestPrintedConfigurationIsReadAlike(t *testing.T) {
	text, err := config.Default().YAML()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Source{File: write(t, string(text))})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), cfg, nilIsEmpty); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEnvNames(t *testing.T) {
	names := config.EnvNames()
	for i, name := range names {
		if i > 0 && names[i-1] == name {
			t.Errorf("%s stands for two keys", name)
		}
	}
	for _, want := range []string{"ANTEROOM_CONFIG", "ANTEROOM_DATA", "ANTEROOM_DEMO", "ANTEROOM_LISTEN", "ANTEROOM_CLICKHOUSE_TLS_CA_FILE"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// Every field of every Config struct is a key: one without a tag could not be configured.
func TestEveryFieldIsAKey(t *testing.T) {
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if f.Tag.Get("koanf") == "" {
				t.Errorf("%s.%s has no koanf tag", path, f.Name)
			}
			inner := f.Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				walk(inner, path+"."+f.Name)
			}
		}
	}
	walk(reflect.TypeFor[config.Config](), "Config")
}

func keys(path string, v any) []string {
	section, ok := v.(map[string]any)
	if !ok || len(section) == 0 {
		return []string{path}
	}
	var out []string
	for name, inner := range section {
		out = append(out, keys(strings.TrimPrefix(path+"."+name, "."), inner)...)
	}
	slices.Sort(out)
	return out
}

func leafKeys(typ reflect.Type) map[string]bool {
	out := map[string]bool{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		out[f.Tag.Get("koanf")] = true
		if f.Type.Kind() == reflect.Struct {
			for key := range leafKeys(f.Type) {
				out[key] = true
			}
		}
	}
	return out
}
