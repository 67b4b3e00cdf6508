package composetest

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/anteroom/anteroom/internal/config"
)

const root = "../.."

type file struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Image       string            `yaml:"image"`
	Build       string            `yaml:"build"`
	Command     []string          `yaml:"command"`
	NetworkMode string            `yaml:"network_mode"`
	Privileged  *bool             `yaml:"privileged"`
	CapAdd      []string          `yaml:"cap_add"`
	User        string            `yaml:"user"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck *struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
	Restart string `yaml:"restart"`
}

// pinned is an image with a tag that names a version; ours is built here.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:(v?\d[\w.-]*|local)$`)

// variable is a reference as compose understands it; required ones say what to do.
var variable = regexp.MustCompile(`\$\{?(\w+)(?:(:\?[^}]*)\})?`)

func TestComposeFile(t *testing.T) {
	compose := read(t)
	want := []string{"anteroom", "clickhouse", "grafana", "kafka", "migrate", "prometheus"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(compose.Services))); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	for _, problem := range check(compose) {
		t.Error(problem)
	}
}

// Each change spoils the real file in one way; the check must see it.
func TestCheckFindsProblems(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(f file, kafka *service)
		want  string
	}{
		{"latest image", func(_ file, s *service) { s.Image = "apache/kafka:latest" }, `kafka: image "apache/kafka:latest" has no version`},
		{"untagged image", func(_ file, s *service) { s.Image = "apache/kafka" }, `kafka: image "apache/kafka" has no version`},
		{"privileged", func(_ file, s *service) { yes := true; s.Privileged = &yes }, "kafka: asks for more rights than it needs"},
		{"no health check", func(_ file, s *service) { s.Healthcheck = nil }, "kafka: has no health check"},
		{"open port", func(_ file, s *service) { s.Ports = []string{"9092:9092"} }, "kafka: port 9092:9092 is not bound to loopback"},
		{"any address", func(_ file, s *service) { s.Ports = []string{"0.0.0.0:9092:9092"} }, "kafka: port 0.0.0.0:9092:9092 is not bound to loopback"},
		{"unknown volume", func(_ file, s *service) { s.Volumes = []string{"attic:/x"} }, "kafka: volume attic is not declared"},
		{"missing file", func(_ file, s *service) { s.Volumes = []string{"./attic:/x"} }, "kafka: ./attic does not exist"},
		{"no such service", func(f file, _ *service) { delete(f.Services, "clickhouse") }, "anteroom: waits for clickhouse, which does not exist"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			compose := read(t)
			if tc.name == "no such service" {
				s := compose.Services["anteroom"]
				s.DependsOn["clickhouse"] = s.DependsOn["kafka"]
				compose.Services["anteroom"] = s
			}
			kafka := compose.Services["kafka"]
			tc.spoil(compose, &kafka)
			compose.Services["kafka"] = kafka
			if got := check(compose); !slices.Contains(got, tc.want) {
				t.Errorf("check answers %q, want among them %q", got, tc.want)
			}
		})
	}
}

// Secrets come from the environment: the file requires each by name, and .env.example lists exactly those, empty.
func TestSecretsComeFromTheEnvironment(t *testing.T) {
	text := readText(t, "docker-compose.yml")
	required := map[string]bool{}
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		required[m[1]] = true
		if m[2] == "" {
			t.Errorf("%s is used without saying that it is required", m[1])
		}
	}
	listed := map[string]bool{}
	for _, line := range lines(readText(t, ".env.example")) {
		name, value, ok := strings.Cut(line, "=")
		if !ok || value != "" {
			t.Errorf(".env.example: %q should be a name, = and nothing", line)
		}
		listed[name] = true
	}
	if diff := cmp.Diff(required, listed); diff != "" {
		t.Errorf(".env.example (-compose file +.env.example):\n%s", diff)
	}
	secret := regexp.MustCompile(`(?i)(password|secret|token|key)$`)
	for name, s := range read(t).Services {
		for key, value := range s.Environment {
			if secret.MatchString(key) && !strings.HasPrefix(value, "${") {
				t.Errorf("%s: %s has a value in the file", name, key)
			}
		}
	}
}

// The service itself reads the environment that it is given, with every secret filled in.
func TestAnteroomUnderstandsItsEnvironment(t *testing.T) {
	compose := read(t)
	for _, name := range []string{"anteroom", "migrate"} {
		var environ []string
		for key, value := range compose.Services[name].Environment {
			environ = append(environ, key+"="+variable.ReplaceAllStringFunc(value, filledIn))
		}
		cfg, err := config.Load(config.Source{Environ: environ})
		if err == nil {
			err = cfg.Validate(config.Serve)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := []string{"127.0.0.1:9092"}
		if diff := cmp.Diff(want, cfg.Kafka.Brokers); diff != "" {
			t.Errorf("%s: brokers (-want +got):\n%s", name, diff)
		}
		if got, want := cfg.ClickHouse.Database, compose.Services["clickhouse"].Environment["CLICKHOUSE_DB"]; got != want {
			t.Errorf("%s: database %s, ClickHouse makes %s", name, got, want)
		}
		if got, want := cfg.ClickHouse.Username, compose.Services["clickhouse"].Environment["CLICKHOUSE_USER"]; got != want {
			t.Errorf("%s: ClickHouse user %s, ClickHouse makes %s", name, got, want)
		}
		if health := compose.Services["anteroom"].Healthcheck.Test; health[len(health)-1] != "http://"+cfg.API.Listen+"/readyz" {
			t.Errorf("%s: listens on %s, and the health check asks %v", name, cfg.API.Listen, health)
		}
		if key, err := cfg.Labelling.Master(); err != nil || key == nil {
			t.Errorf("%s: has no labelling key: %v", name, err)
		}
	}
}

// filledIn is what somebody may have given a variable.
func filledIn(text string) string {
	switch variable.FindStringSubmatch(text)[1] {
	case "ANTEROOM_IDENTITY_MASTER_KEY":
		return base64.StdEncoding.EncodeToString(make([]byte, 32))
	case "ANTEROOM_OPERATOR_ISSUER_URL":
		return "https://login.example.org"
	}
	return strings.Repeat("x", 48)
}

func TestComposeItselfAcceptsTheFile(t *testing.T) {
	// An addition to the tests above: no container engine is needed for it, but the client is.
	if err := exec.Command("docker", "compose", "version").Run(); err != nil {
		t.Log("docker compose is not at hand: the file is checked by reading alone")
		return
	}
	env := filepath.Join(t.TempDir(), "env")
	filled := strings.ReplaceAll(readText(t, ".env.example"), "=\n", "=x\n")
	if err := os.WriteFile(env, []byte(filled), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker", "compose", "--env-file", env, "config", "--quiet")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("docker compose config: %v\n%s", err, out)
	}
}

func check(compose file) []string {
	var problems []string
	for name, s := range compose.Services {
		report := func(format string, args ...any) {
			problems = append(problems, name+": "+fmt.Sprintf(format, args...))
		}
		if !pinned.MatchString(s.Image) {
			report("image %q has no version", s.Image)
		}
		if s.Privileged != nil || len(s.CapAdd) > 0 || s.User == "root" || s.User == "0" {
			report("asks for more rights than it needs")
		}
		if !isJob(compose, name) && (s.Healthcheck == nil || len(s.Healthcheck.Test) < 2) {
			report("has no health check")
		}
		for _, port := range s.Ports {
			if parts := strings.Split(port, ":"); len(parts) != 3 || !net.ParseIP(parts[0]).IsLoopback() {
				report("port %s is not bound to loopback", port)
			}
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if !strings.HasPrefix(source, ".") {
				if _, ok := compose.Volumes[source]; !ok {
					report("volume %s is not declared", source)
				}
			} else if _, err := os.Stat(filepath.Join(root, source)); err != nil {
				report("%s does not exist", source)
			}
		}
		for other := range s.DependsOn {
			if _, ok := compose.Services[other]; !ok {
				report("waits for %s, which does not exist", other)
			}
		}
	}
	return problems
}

// isJob tells a service that others wait for to end. It has no health.
func isJob(compose file, name string) bool {
	for _, s := range compose.Services {
		if s.DependsOn[name].Condition == "service_completed_successfully" {
			return true
		}
	}
	return false
}

func read(t *testing.T) file {
	t.Helper()
	var f file
	if err := yaml.Unmarshal([]byte(readText(t, "docker-compose.yml")), &f); err != nil {
		t.Fatalf("parse docker-compose.yml: %v", err)
	}
	return f
}

func readText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lines answers the lines that are neither empty nor comments.
func lines(text string) []string {
	var out []string
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}
