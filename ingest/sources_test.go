package ingest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/demo"
	"github.com/anteroom/anteroom/internal/kafka"
)

// sampleRows are the rows that the published sample message makes, by table.
var sampleRows = map[string]uint64{"calls": 2, "participants": 2, "streams": 2, "samples": 1}

func azureMessage(t *testing.T) []byte {
	t.Helper()
	message, err := os.ReadFile(filepath.Join("acs", "testdata", "worked-sample.json"))
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func (r *rig) addSource(t *testing.T, client *kafka.Client, cfg kafka.Config) (topic string) {
	t.Helper()
	topic = "insights-logs-" + r.cfg.Region
	if err := client.EnsureTopics(t.Context(), kafka.Topic{Name: topic, Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	r.cfg.Sources = []ingest.SourceConfig{{Name: "azure", Kind: "acs", Org: "clinic", Topics: []string{topic}, Kafka: cfg}}
	return topic
}

func write(t *testing.T, client *kafka.Client, topic, key string, values ...[]byte) {
	t.Helper()
	producer := client.NewProducer()
	var records []event.Record
	for _, v := range values {
		records = append(records, event.Record{Topic: topic, Key: []byte(key), Value: v})
	}
	if _, err := producer.Write(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) wantRows(t *testing.T, want map[string]uint64) {
	t.Helper()
	for table, n := range want {
		r.eventually(t, n, "SELECT count() FROM "+table)
	}
}

func TestAzureRecordsFromATopic(t *testing.T) {
	whole := t // a service that a subtest starts runs to the end
	r := newRig(t)
	topic := r.addSource(t, r.deps.Kafka, kafka.Config{})
	stop := r.start(t)
	message := azureMessage(t)
	write(t, r.deps.Kafka, topic, "a", message)
	r.wantRows(t, sampleRows)

	t.Run("repeated in any partition changes nothing", func(t *testing.T) {
		write(t, r.deps.Kafka, topic, "a", message)
		for _, key := range []string{"b", "c", "d", "e"} {
			write(t, r.deps.Kafka, topic, key, message, message)
		}
		stop()
		r.start(whole) // what was known in memory is forgotten
		write(t, r.deps.Kafka, topic, "f", message)
		write(t, r.deps.Kafka, topic, "g", []byte(`{"records":[{"category":"CallSummary","correlationId":"","properties":{}}]}`))
		r.eventually(t, 1, "SELECT count() FROM dead_letters FINAL WHERE record = 0") // it comes after the others of its partition
		r.wantRows(t, sampleRows)
	})

	t.Run("the same as a file changes nothing", func(t *testing.T) {
		importer := ingest.NewImporter(r.cfg, r.deps)
		result, err := importer.Import(t.Context(), ingest.ImportRequest{Format: ingest.FormatACS, Org: "clinic", Body: bytes.NewReader(message)})
		if err != nil {
			t.Fatal(err)
		}
		if !result.AlreadyImported {
			t.Error("the file counts as new")
		}
		r.wantRows(t, sampleRows)
	})

	t.Run("a bad record leaves the rest of its message", func(t *testing.T) {
		one := bytes.Replace(message, []byte(`"callStartTime":"2026-03-04T10:00:02.100Z"`), []byte(`"callStartTime":"the fourth of March"`), 1)
		one = bytes.ReplaceAll(one, []byte("7c1d0a52-6a0e-4f0b-9a57-0f1f6c7f2a10"), []byte("7c1d0a52-6a0e-4f0b-9a57-0f1f6c7f2a11"))
		write(t, r.deps.Kafka, topic, "a", one, []byte("no json"))
		r.eventually(t, 2, "SELECT count() FROM streams WHERE call_id = '7c1d0a52-6a0e-4f0b-9a57-0f1f6c7f2a11'")
		r.eventually(t, 3, "SELECT count() FROM dead_letters FINAL")
		r.eventually(t, 1, "SELECT count() FROM dead_letters FINAL WHERE record = -1")
	})
}

func TestAzureRecordsFromAFile(t *testing.T) {
	r := newRig(t)
	stop := r.start(t)
	importer := ingest.NewImporter(r.cfg, r.deps)
	defer func() { _ = importer.Close() }()
	for _, already := range []bool{false, true} {
		result, err := importer.Import(t.Context(), ingest.ImportRequest{Format: ingest.FormatACS, Org: "clinic", Body: bytes.NewReader(azureMessage(t))})
		if err != nil {
			t.Fatal(err)
		}
		if result.AlreadyImported != already {
			t.Errorf("already imported: %v, want %v", result.AlreadyImported, already)
		}
		r.wantRows(t, sampleRows)
		stop()
		stop = r.start(t)
	}
}

// TestOneFileForTwoOrganisations shows that what one organisation imported is not a repetition for another.
func TestOneFileForTwoOrganisations(t *testing.T) {
	r := newRig(t)
	r.cfg.Partitions = 1 // whatever their keys are, they share it
	r.cfg.Region += "x"
	if err := ingest.EnsureTopics(t.Context(), r.deps.Kafka, r.cfg); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	importer := ingest.NewImporter(r.cfg, r.deps)
	defer func() { _ = importer.Close() }()
	dump := demo.Files()[0].Data
	for n, org := range []string{"clinic", "court", "school"} {
		for _, request := range []ingest.ImportRequest{
			{Format: ingest.FormatACS, Org: org, Body: bytes.NewReader(azureMessage(t))},
			{Format: ingest.FormatRTCStats, Org: org, Body: bytes.NewReader(dump)},
		} {
			result, err := importer.Import(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			if result.AlreadyImported {
				t.Errorf("%s: the %s file counts as imported already", org, request.Format)
			}
		}
		r.eventually(t, uint64(n+1)*4, "SELECT count() FROM calls")
		r.eventually(t, uint64(n+1)*8, "SELECT count() FROM streams")
	}
}
