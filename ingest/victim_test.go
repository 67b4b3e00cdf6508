package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// A victim is a second run of the test binary with a broker, a ClickHouse, a producer and an ingest service on a data folder, there to
// be killed at any moment.
const victimEnv = "ANTEROOM_TEST_VICTIM"

// victimPlan is what a victim does, as its environment says.
type victimPlan struct {
	Dir string
	// Reports to produce in all, over all runs; streams of each.
	Reports, Streams int
	// Chat is how many acts of chat to produce in all, instead of reports; there is a further region then.
	Chat int
	// WaitForGo holds the producer back until the file "go" exists in Dir.
	WaitForGo bool
	// RestartEngine starts the engine again at the same address when it dies, while ingest goes on.
	RestartEngine bool
}

// victimEngine is what a victim tells of its engine when it is up.
type victimEngine struct {
	Addr, User, Password string
	Pid                  int
}

const (
	victimDatabase = "anteroom"
	victimRegion   = "emea"
)

func victimMain(plan string) {
	var p victimPlan
	if err := json.Unmarshal([]byte(plan), &p); err != nil {
		panic(err)
	}
	if err := p.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "victim:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (p victimPlan) run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	broker, err := embedded.StartBroker(ctx, embedded.DefaultBrokerConfig(filepath.Join(p.Dir, "kafka")))
	if err != nil {
		return err
	}
	ports, err := embedded.FreePorts(2)
	if err != nil {
		return err
	}
	engineConfig := embedded.DefaultClickHouseConfig(filepath.Join(p.Dir, "clickhouse"))
	engineConfig.NativePort, engineConfig.HTTPPort = ports[0], ports[1]
	engine, err := embedded.StartClickHouse(ctx, engineConfig)
	if err != nil {
		return err
	}
	storeConfig := victimStore(victimEngine{Addr: engine.Addr(), User: engine.User(), Password: engine.Password()})
	if _, err := store.Migrate(ctx, storeConfig); err != nil {
		return err
	}
	storage, err := store.Open(storeConfig)
	if err != nil {
		return err
	}
	kafkaConfig := kafka.DefaultConfig()
	kafkaConfig.Brokers = []string{broker.Addr()}
	kafkaConfig.SASL = kafka.SASLConfig{Mechanism: broker.Mechanism(), Username: broker.User(), Password: broker.Password()}
	client, err := kafka.New(kafkaConfig)
	if err != nil {
		return err
	}
	cfg := ingest.DefaultConfig()
	cfg.Region, cfg.FlushRows, cfg.FlushInterval = victimRegion, 3000, 50*time.Millisecond
	if err := ingest.EnsureTopics(ctx, client, cfg); err != nil {
		return err
	}
	keys, err := label.NewKeyring(make([]byte, label.MinKeyLen))
	if err != nil {
		return err
	}
	deps := ingest.Deps{Kafka: client, Store: storage, Keys: keys, Metrics: prometheus.NewRegistry(), Log: log}
	if p.Chat > 0 {
		return p.runChat(ctx, cfg, deps, engine)
	}
	service, err := ingest.New(cfg, deps)
	if err != nil {
		return err
	}
	if err := p.tell(engine); err != nil {
		return err
	}
	if p.RestartEngine {
		go func() {
			<-engine.Done()
			engine, err := embedded.StartClickHouse(ctx, engineConfig)
			if err != nil {
				log.ErrorContext(ctx, "engine did not restart", "error", err)
				return
			}
			if err := p.tell(engine); err != nil {
				log.ErrorContext(ctx, "engine restarted but nobody was told", "error", err)
			}
		}()
	}
	go func() {
		if err := p.produce(ctx, client); err != nil {
			log.ErrorContext(ctx, "producer ended", "error", err)
		}
	}()
	return service.Run(ctx)
}

// tell says where the engine is.
func (p victimPlan) tell(engine *embedded.ClickHouse) error {
	told, err := json.Marshal(victimEngine{Addr: engine.Addr(), User: engine.User(), Password: engine.Password(), Pid: engine.Pid()})
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(p.Dir, "engine.json"), told)
}

func victimStore(e victimEngine) store.Config {
	cfg := store.DefaultConfig()
	cfg.Addresses, cfg.Database, cfg.Username, cfg.Password = []string{e.Addr}, victimDatabase, e.User, e.Password
	return cfg
}

// produce goes on where an earlier run was killed, a little before: what it may have produced already is produced again, under other
// offsets, like a producer that lost an acknowledgement does.
func (p victimPlan) produce(ctx context.Context, client *kafka.Client) error {
	const chunk, overlap = 1000, 1500
	return p.produceAll(ctx, client, p.Reports, chunk, overlap, p.report)
}

// produceAll produces what is numbered from 0 to n.
func (p victimPlan) produceAll(ctx context.Context, client *kafka.Client, n, chunk, overlap int, act func(int) (*eventpb.Event, error)) error {
	for p.WaitForGo {
		if _, err := os.Stat(filepath.Join(p.Dir, "go")); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	progress := filepath.Join(p.Dir, "produced")
	done := 0
	if b, err := os.ReadFile(progress); err == nil {
		if done, err = strconv.Atoi(string(b)); err != nil {
			return err
		}
	}
	producer := client.NewProducer()
	for from := max(0, done-overlap); from < n; from += chunk {
		var records []event.Record
		for i := from; i < min(from+chunk, n); i++ {
			e, err := act(i)
			if err != nil {
				return err
			}
			record, err := event.Encode(e)
			if err != nil {
				return err
			}
			records = append(records, record)
		}
		if _, err := producer.Write(ctx, records...); err != nil {
			return err
		}
		if err := replaceFile(progress, []byte(strconv.Itoa(from+len(records)))); err != nil {
			return err
		}
	}
	return producer.Close()
}

// report makes the nth report: of one of 20 calls, each a source of its own.
func (p victimPlan) report(n int) (*eventpb.Event, error) {
	const calls = 20
	call, sequence := fmt.Sprintf("call-%d", n%calls), uint64(n/calls+1)
	participant := uuid.NewSHA1(uuid.Nil, []byte(call))
	streams := make([]*eventpb.StreamSample, p.Streams)
	for i := range streams {
		stream := uuid.NewSHA1(participant, []byte{byte(i)})
		jitter := float32(sequence % 40)
		streams[i] = &eventpb.StreamSample{
			StreamId: stream[:], Direction: eventpb.Direction_DIRECTION_INBOUND, Media: eventpb.Media_MEDIA_AUDIO, Codec: "opus", Packets: 500, JitterMs: &jitter,
		}
	}
	return &eventpb.Event{
		Id: uuid.NewSHA1(participant, strconv.AppendUint(nil, sequence, 10)).String(), Org: "clinic", Region: victimRegion, CallId: call,
		Source: "media/victim/" + call, Sequence: sequence, SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA,
		ObservedAtUs: baseTime.Add(time.Duration(sequence) * time.Second).UnixMicro(),
		Payload:      &eventpb.Event_StreamReport{StreamReport: &eventpb.StreamReport{ParticipantId: participant[:], IntervalMs: 10_000, Streams: streams}},
	}, nil
}

// replaceFile writes a file so that a reader sees all of the old or all of the new.
func replaceFile(path string, data []byte) error {
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// victim is a running one.
type victim struct {
	cmd    *exec.Cmd
	engine victimEngine
}

// startVictim starts a victim as leader of a process group of its own.
func startVictim(t *testing.T, p victimPlan) *victim {
	t.Helper()
	plan, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(p.Dir, "engine.json"))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+string(plan))
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v := &victim{cmd: cmd}
	t.Cleanup(v.kill)
	return v
}

// up waits until the victim's engine answers.
func (v *victim) up(t *testing.T, dir string) {
	t.Helper()
	for range 600 {
		if v.reads(dir) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the victim's engine is not up after 30 s")
}

// reads tells whether the victim has said where its engine is.
func (v *victim) reads(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "engine.json"))
	return err == nil && json.Unmarshal(b, &v.engine) == nil
}

// kill ends the victim's process group and its engine's, at once, and waits for both.
func (v *victim) kill() {
	_ = syscall.Kill(-v.cmd.Process.Pid, syscall.SIGKILL)
	if v.engine.Pid > 0 {
		_ = syscall.Kill(-v.engine.Pid, syscall.SIGKILL)
	}
	_ = v.cmd.Wait()
	for v.engine.Pid > 0 && syscall.Kill(v.engine.Pid, 0) == nil {
		time.Sleep(10 * time.Millisecond)
	}
	v.engine.Pid = 0
}
