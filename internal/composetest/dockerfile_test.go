package composetest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestDockerfile(t *testing.T) {
	text := readText(t, "Dockerfile")
	stages := strings.Split(text, "\nFROM ")
	final := stages[len(stages)-1]
	for _, fact := range []struct {
		name, in, pattern string
	}{
		{"pages built first", text, `(?s)\nFROM node:.+ AS pages\n.*scripts/web\.sh.*\nFROM .+ AS build\n.*COPY --from=pages .*\nFROM `},
		{"built without C", stages[len(stages)-2], `CGO_ENABLED=0 go build -trimpath`},
		{"a base with a version", final, `^[a-z/.-]+:\d`},
		{"a user without rights, by number", final, `(?m)^USER [1-9]\d*:[1-9]\d*$`},
		{"only the binary is taken from the module", final, `COPY --from=build /out/anteroom `},
		{"starts the service", final, `(?m)^ENTRYPOINT \["/usr/local/bin/anteroom"\]$`},
	} {
		if !regexp.MustCompile(fact.pattern).MatchString(fact.in) {
			t.Errorf("Dockerfile: %s: found nothing like %s", fact.name, fact.pattern)
		}
	}
	if regexp.MustCompile(`(?m)^COPY (?:\.|--chown=\S+ \.)`).MatchString(final) {
		t.Error("Dockerfile: the final image takes the whole module")
	}
	if strings.LastIndex(final, "\nUSER ") > strings.Index(final, "\nENTRYPOINT ") {
		t.Error("Dockerfile: USER comes after ENTRYPOINT")
	}
}

// The builder must be as new as go.mod asks for.
func TestDockerfileGoVersion(t *testing.T) {
	wanted := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readText(t, "go.mod"))
	used := regexp.MustCompile(`(?m)^FROM golang:(\d+\.\d+)`).FindStringSubmatch(readText(t, "Dockerfile"))
	if wanted == nil || used == nil || wanted[1] != used[1] {
		t.Errorf("go.mod asks for Go %v and the Dockerfile builds with %v", wanted, used)
	}
}

// What git ignores because it is private or large must not go to the builder either.
func TestDockerignoreKeepsPrivateFilesOut(t *testing.T) {
	ignored := lines(readText(t, ".dockerignore"))
	for _, name := range []string{".env", ".git", "bin", "data", "**/node_modules"} {
		if !strings.Contains("\n"+strings.Join(ignored, "\n")+"\n", "\n"+name+"\n") {
			t.Errorf(".dockerignore lacks %s", name)
		}
	}
}

// The data source's user, password variable and database are those of the compose file and of ClickHouse's user file.
func TestGrafanaReadsAsItsOwnUser(t *testing.T) {
	var provisioned struct {
		Datasources []struct {
			Type     string `yaml:"type"`
			JSONData struct {
				Host            string `yaml:"host"`
				Username        string `yaml:"username"`
				DefaultDatabase string `yaml:"defaultDatabase"`
			} `yaml:"jsonData"`
			SecureJSONData map[string]string `yaml:"secureJsonData"`
		} `yaml:"datasources"`
	}
	if err := yaml.Unmarshal([]byte(readText(t, "deploy/grafana/provisioning/datasources/clickhouse.yaml")), &provisioned); err != nil {
		t.Fatal(err)
	}
	services := read(t).Services
	source := provisioned.Datasources[0]
	// Grafana is in the host's network, where ClickHouse's port is published.
	if source.JSONData.Host != "127.0.0.1" || services["grafana"].NetworkMode != "host" || !slices.Contains(services["clickhouse"].Ports, "127.0.0.1:9000:9000") {
		t.Errorf("data source: %s is not where ClickHouse is for Grafana", source.JSONData.Host)
	}
	password := strings.TrimPrefix(source.SecureJSONData["password"], "$")
	for _, name := range []string{"grafana", "clickhouse"} {
		if _, ok := services[name].Environment[password]; !ok {
			t.Errorf("%s is not given %s", name, password)
		}
	}
	if got, want := source.JSONData.DefaultDatabase, services["clickhouse"].Environment["CLICKHOUSE_DB"]; got != want {
		t.Errorf("data source: database %s, ClickHouse makes %s", got, want)
	}
	user := readText(t, "deploy/clickhouse/grafana.xml")
	for _, part := range []string{
		"<" + source.JSONData.Username + ">", `from_env="` + password + `"`, "<readonly>2</readonly>",
		"GRANT SELECT ON " + source.JSONData.DefaultDatabase + ".analytics_*",
	} {
		if !strings.Contains(user, part) {
			t.Errorf("deploy/clickhouse/grafana.xml lacks %s", part)
		}
	}
}
