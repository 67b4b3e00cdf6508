package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/demo"
	"github.com/anteroom/anteroom/internal/kafka"
)

// Rule D2: after importing the recorded calls nothing of what they tell about their guests is in any table, file, topic or log line. Each
// place is shown to be searched by a canary that was planted there and must be found.
func TestRule_D2_NothingPersonalIsKept(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	spans := startSpanCollector(t)
	in := startRun(t, data, "--no-demo", "--config", spans.config(t))
	files := demoFiles(t)
	files = append(files, fixtures(t)...)
	in.importFiles(append([]string{"rtcstats"}, files...)...)
	needles := demo.PersonalData()
	for _, file := range files {
		needles = append(needles, personal(t, file)...)
	}
	slices.Sort(needles)
	needles = slices.Compact(needles)
	if len(needles) < len(demo.PersonalData()) {
		t.Fatal("nothing to look for")
	}
	// A file that is refused is told about in the answer and in the log, without its contents.
	broken := filepath.Join(t.TempDir(), "broken.dump")
	if err := os.WriteFile(broken, []byte(`["identity",null,{"displayName":"`+needles[0]+`"},1]`+"\n"+`["x",`+needles[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := command("import", "--server", in.url, "--data", data, "rtcstats", broken); code != exitFailed {
		t.Errorf("a broken file: exit code %d", code)
	} else if hits := search([]byte(stdout+stderr), needles[:2]); len(hits) > 0 {
		t.Errorf("the error quotes the file: %q", hits)
	}

	canary := "canary-" + rand.Text()
	places := map[string]func() []byte{
		"tables": func() []byte { return tables(t, data) },
		"topics": func() []byte { return topics(t, data) },
	}
	plantInTables(t, data, canary)
	// In the broker's own file of the record, but nowhere else.
	planted := "planted-" + rand.Text()
	plantInTopics(t, data, canary, planted)
	in.get("/v1/calls?q=" + canary)
	spans.awaitPath(t, "POST /v1/imports", "ingest batch", "insert")
	if content := spans.content(); len(search(content, []string{"/v1/imports"})) == 0 {
		t.Errorf("traces: the route of imports was not found, so the search of %d bytes proves nothing", len(content))
	} else if hits := search(content, append(needles, canary, planted)); len(hits) > 0 {
		t.Errorf("traces hold %q", hits)
	}
	for name, read := range places {
		content := read()
		if len(search(content, []string{canary})) == 0 {
			t.Errorf("%s: the canary was not found, so the search of %d bytes proves nothing", name, len(content))
		}
		if hits := search(content, append(needles, planted)); len(hits) > 0 {
			t.Errorf("%s hold %q", name, hits)
		}
	}
	in.stop() // what was in memory is in the files now
	found := 0
	for path, content := range folder(t, data) {
		found += len(search(content, []string{canary}))
		if hits := search(content, needles); len(hits) > 0 {
			t.Errorf("%s holds %q", path, hits)
		}
	}
	if found < 2 { // ClickHouse's and the broker's
		t.Errorf("the canary is in %d files, want one of each engine", found)
	}
	log := in.stderr.String()
	if !strings.Contains(log, "route=/v1/imports") {
		t.Error("the log does not tell of the imports, so its search proves nothing")
	}
	if hits := search([]byte(log), append(needles, canary, planted)); len(hits) > 0 { // the canary was asked for: queries aren't logged
		t.Errorf("the log holds %q", hits)
	}
}

// search returns the needles that are in the content, in any case of letters.
func search(content []byte, needles []string) []string {
	var hits []string
	content = bytes.ToLower(content)
	for _, needle := range needles {
		if bytes.Contains(content, bytes.ToLower([]byte(needle))) {
			hits = append(hits, needle)
		}
	}
	return hits
}

// fixtures are the recorded dumps beside the repository; none where they are missing, which CI doesn't allow.
func fixtures(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("ANTEROOM_FIXTURES")
	if dir == "" {
		dir = "../../../shared/fixtures"
	}
	found, err := filepath.Glob(filepath.Join(dir, "rtcstats", "*.dump"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no fixtures in %s; ANTEROOM_FIXTURES names their folder", dir)
		}
		t.Logf("no fixtures in %s: only the shipped dumps are looked at", dir)
	}
	return found
}

var (
	identifier = regexp.MustCompile(`"(?:displayName|userName|userId|email|endpointId|customerId|confName|meetingUniqueId)":"([^"]{4,})"`)
	device     = regexp.MustCompile(`"kind":"(?:audio|video)(?:in|out)put"[^}]*"label":"([^"]{4,})"|"label":"([^"]{4,})"[^}]*"kind":"(?:audio|video)(?:in|out)put"`)
	address    = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-f]{1,4}(?:::?[0-9a-f]{1,4}){1,7}\b`)
)

// personal lists what a dump tells about people: names, ids, devices and addresses.
func personal(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	var out []string
	for _, pattern := range []*regexp.Regexp{identifier, device} {
		for _, groups := range pattern.FindAllStringSubmatch(text, -1) {
			out = append(out, strings.Join(groups[1:], ""))
		}
	}
	for _, found := range address.FindAllString(text, -1) {
		ip, err := netip.ParseAddr(found)
		// Loopback and 0.0.0.0 are nobody's, and 117.0.0.0 is a browser's version.
		if err == nil && !ip.IsLoopback() && !ip.IsUnspecified() && !strings.HasSuffix(found, ".0.0.0") {
			out = append(out, found)
		}
	}
	return out
}

// query asks the embedded ClickHouse of a data folder, as its service user.
func query(t *testing.T, data, statement string) []byte {
	t.Helper()
	return queryIn(t, data, config.Default().ClickHouse.Database, statement)
}

// queryIn asks it about one of its databases.
func queryIn(t *testing.T, data, database, statement string) []byte {
	t.Helper()
	dir := filepath.Join(data, "clickhouse")
	settings, err := os.ReadFile(filepath.Join(dir, "config.xml"))
	if err != nil {
		t.Fatal(err)
	}
	password, err := os.ReadFile(filepath.Join(dir, "password"))
	if err != nil {
		t.Fatal(err)
	}
	port := regexp.MustCompile(`<http_port>(\d+)</http_port>`).FindSubmatch(settings)
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+string(port[1])+"/?database="+database, strings.NewReader(statement))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-ClickHouse-User", "anteroom")
	req.Header.Set("X-ClickHouse-Key", strings.TrimSpace(string(password)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", statement, body.String(), err)
	}
	return body.Bytes()
}

func plantInTables(t *testing.T, data, canary string) {
	t.Helper()
	query(t, data, "CREATE TABLE canary (text String CODEC(NONE)) ENGINE = MergeTree ORDER BY ()")
	query(t, data, "INSERT INTO canary VALUES ('"+canary+"')")
}

// tables reads all rows of all tables but some, the engine's own logs among them.
func tables(t *testing.T, data string, but ...string) []byte {
	t.Helper()
	query(t, data, "SYSTEM FLUSH LOGS")
	names := string(query(t, data, `SELECT concat('`+"`', database, '`.`', name, '`"+`') FROM system.tables
		WHERE engine LIKE '%MergeTree%' OR (database = 'system' AND name LIKE '%_log') FORMAT TSVRaw`))
	var out []byte
	n := 0
	for name := range strings.FieldsSeq(names) {
		if strings.Contains(name, "_staging_") { // comes and goes while a roll-up is rebuilt
			continue
		}
		if slices.ContainsFunc(but, func(left string) bool { return strings.HasSuffix(name, ".`"+left+"`") }) {
			continue
		}
		out = append(out, query(t, data, "SELECT * FROM "+name+" FORMAT TSVRaw")...)
		n++
	}
	if n < 10 {
		t.Fatalf("only %d tables were found", n)
	}
	return out
}

// client speaks to the embedded broker of a data folder.
func client(t *testing.T, data string) *kafka.Client {
	t.Helper()
	dir := filepath.Join(data, "kafka")
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{"127.0.0.1:" + read("port")}
	cfg.SASL = kafka.SASLConfig{Mechanism: "SCRAM-SHA-256", Username: "anteroom", Password: read("password")}
	c, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// plantInTopics writes a record to the dead letters and one to the events; the latter is refused by ingest, so a dead letter of its
// making tells of it, which must not quote it.
func plantInTopics(t *testing.T, data, canary, planted string) {
	t.Helper()
	region := config.Default().Ingest.Region
	plantInTopicsOf(t, data, event.DeadLetterTopic(region), event.Topic(region, event.Durable), canary, planted)
}

func plantInTopicsOf(t *testing.T, data, deadLetters, ingested, canary, planted string) {
	t.Helper()
	c := client(t, data)
	writer := &kafkago.Writer{Addr: kafkago.TCP(c.Brokers()...), Transport: c.API().Transport, BatchTimeout: time.Millisecond}
	defer writer.Close()
	err := writer.WriteMessages(t.Context(),
		kafkago.Message{Topic: deadLetters, Value: []byte(canary)},
		kafkago.Message{Topic: ingested, Value: []byte("not an event: " + planted)})
	if err != nil {
		t.Fatal(err)
	}
}

// topics reads the values, keys and headers of the dead letters, uncompressed.
func topics(t *testing.T, data string) []byte {
	t.Helper()
	c := client(t, data)
	topic := event.DeadLetterTopic(config.Default().Ingest.Region)
	var out []byte
	reader := kafkago.NewReader(kafkago.ReaderConfig{Brokers: c.Brokers(), Topic: topic, Dialer: c.Dialer(), MaxWait: 100 * time.Millisecond})
	defer reader.Close()
	for n := 0; n < 2; n++ { // the canary, and what ingest made of the record that is no event
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		m, err := reader.ReadMessage(ctx)
		cancel()
		if err != nil {
			t.Fatalf("read dead letter %d: %v", n+1, err)
		}
		out = append(append(out, m.Value...), m.Key...)
		for _, header := range m.Headers {
			out = append(append(out, header.Key...), header.Value...)
		}
	}
	return out
}

// folder reads all files below a folder.
func folder(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		rel, relErr := filepath.Rel(dir, path)
		out[rel] = content
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(fmt.Errorf("read data folder: %w", err))
	}
	return out
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
