package ingest_test

import (
	"testing"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/internal/kafkatest"
)

func apacheConfig(cluster *kafkatest.Cluster) kafka.Config {
	cfg := kafka.DefaultConfig()
	cfg.Brokers = cluster.Brokers
	return cfg
}

// TestApacheKafkaKilledAndBack ingests from Apache Kafka, whose broker is killed in between: nothing is lost or doubled, and meanwhile the
// checks say what is wrong.
func TestApacheKafkaKilledAndBack(t *testing.T) {
	cluster := kafkatest.Start(t)
	r := newRigOn(t, apacheConfig(cluster))
	service, stop := r.startService(t)
	var events []*eventpb.Event
	for i := range 200 {
		events = append(events, r.report("call", "media/one/1", uint64(i+1), 3))
	}
	r.produce(t, events[:100]...)
	r.eventually(t, 300, countSamples)
	if checks := service.Checks(); !allOK(checks) {
		t.Errorf("checks while all is well: %+v", checks)
	}

	cluster.Kill()
	awaitChecks(t, service, false)
	if err := cluster.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.produce(t, events[100:]...)
	r.eventually(t, 600, countSamples)
	awaitChecks(t, service, true)
	stop()
	if got := r.count(t, countKeys); got != 600 {
		t.Errorf("%d distinct row keys, want 600", got)
	}
}

// TestTwoServicesShareThePartitions starts a second member while the first is at work, and stops the first.
func TestTwoServicesShareThePartitions(t *testing.T) {
	cluster := kafkatest.Start(t)
	r := newRigOn(t, apacheConfig(cluster))
	r.cfg.FlushRows = 50
	const calls, each = 40, 30
	publish := func(from, to int) {
		var events []*eventpb.Event
		for sequence := from; sequence <= to; sequence++ {
			for call := range calls {
				name := string(rune('a'+call%26)) + string(rune('a'+call/26))
				events = append(events, r.report(name, "media/one/"+name, uint64(sequence), 2))
			}
		}
		r.produce(t, events...)
	}
	_, stopFirst := r.startService(t)
	publish(1, 10)
	second := *r
	second.forgetMetrics()
	second.startService(t)
	publish(11, 20)
	stopFirst()
	publish(21, each)
	r.eventually(t, calls*each*2, countSamples)
	time.Sleep(time.Second) // doubles would come now
	r.eventually(t, calls*each*2, countSamples)
	if got := r.count(t, countKeys); got != calls*each*2 {
		t.Errorf("%d distinct row keys, want %d", got, calls*each*2)
	}
}

// TestAzureRecordsOverTLS reads them as Azure Event Hubs gives them out: TLS and SASL PLAIN.
func TestAzureRecordsOverTLS(t *testing.T) {
	cluster := kafkatest.Start(t, kafkatest.WithSASLPlain("$ConnectionString", "Endpoint=sb://clinic.example/;SharedAccessKey=made-up"))
	r := newRig(t)
	cfg := apacheConfig(cluster)
	cfg.TLS = kafka.TLSConfig{Enabled: true, CAFile: cluster.CAFile()}
	cfg.SASL = kafka.SASLConfig{Mechanism: "PLAIN", Username: "$ConnectionString", Password: "Endpoint=sb://clinic.example/;SharedAccessKey=made-up"}
	client, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topic := r.addSource(t, client, cfg)
	r.start(t)
	message := azureMessage(t)
	write(t, client, topic, "a", message)
	r.wantRows(t, sampleRows)
	write(t, client, topic, "b", message, []byte("no json"))
	r.eventually(t, 1, "SELECT count() FROM dead_letters FINAL")
	r.wantRows(t, sampleRows)
}

func allOK(checks []ingest.Check) bool {
	for _, c := range checks {
		if !c.OK {
			return false
		}
	}
	return true
}

// awaitChecks waits until the checks say that all is well, or that something is not, with a reason.
func awaitChecks(t *testing.T, s *ingest.Service, ok bool) {
	t.Helper()
	var checks []ingest.Check
	for range 600 {
		if checks = s.Checks(); allOK(checks) == ok {
			for _, c := range checks {
				if !c.OK && c.Reason == "" {
					t.Errorf("%s fails without a reason", c.Name)
				}
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("after 30 s the checks are %+v", checks)
}
