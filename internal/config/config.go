package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/analytics/live"
	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/collect"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/internal/recorder"
	"github.com/anteroom/anteroom/internal/tracing"
	"github.com/anteroom/anteroom/internal/webhook"
	"github.com/anteroom/anteroom/logs"
	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/nodes"
	"github.com/anteroom/anteroom/media/record"
	"github.com/anteroom/anteroom/media/signal"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/exchange"
	"github.com/anteroom/anteroom/policy/revisions"
	"github.com/anteroom/anteroom/policy/sandbox"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/backup"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/retention/report"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
)

// Config is the whole configuration.
type Config struct {
	// API is the HTTP side.
	API api.Config `koanf:"api"`
	// Ingest is the way from Kafka to ClickHouse.
	Ingest ingest.Config `koanf:"ingest"`
	// Rollups are built from what was ingested.
	Rollups store.RollupsConfig `koanf:"rollups"`
	// Analytics are summaries of calls, made of what was ingested.
	Analytics analytics.Config `koanf:"analytics"`
	// ClickHouse is the region's ClickHouse. Under `anteroom run` it is the embedded one, and this must be left out.
	ClickHouse store.Config `koanf:"clickhouse"`
	// Kafka is the region's Kafka. Under `anteroom run` it is the embedded one, and this must be left out.
	Kafka kafka.Config `koanf:"kafka"`
	// Regions are further ones besides the home region (ingest.region): those of resources. They hold copies of chat for those resources' guests
	// and nothing else. Under `anteroom run` embedded.regions names them, and this must be left out. Default none.
	Regions []Region `koanf:"regions"`
	// Quality says what is good and what is poor.
	Quality quality.Config `koanf:"quality"`
	// Labelling makes pseudonyms.
	Labelling Labelling `koanf:"labelling"`
	// Identity says whose tokens are believed. Under `anteroom run` its state is in the data folder, and a development issuer signs in
	// whoever asks on this machine.
	Identity identity.Config `koanf:"identity"`
	// Policy decides what participants may do.
	Policy policy.Config `koanf:"policy"`
	// Revisions are organisations' own policies: what they must be to be activated.
	Revisions revisions.Config `koanf:"revisions"`
	// Bundles are what stock policy agents get. Under `anteroom run` their key is in the data folder.
	Bundles exchange.Config `koanf:"bundles"`
	// Sandbox is how much they may use while they are checked and tried.
	Sandbox sandbox.Config `koanf:"sandbox"`
	// Retention is how long things are kept, and that what is due is gone.
	Retention retention.Config `koanf:"retention"`
	// Live is how running calls are watched.
	Live live.Config `koanf:"live"`
	// Logs are what is written down of calls that have ended.
	Logs logs.Config `koanf:"logs"`
	// Media are running meetings.
	Media media.Config `koanf:"media"`
	// Nodes are several media nodes that share the meetings.
	Nodes nodes.Config `koanf:"nodes"`
	// Signalling are clients' connections to meetings.
	Signalling signal.Config `koanf:"signalling"`
	// Collect takes in what clients of other systems measure while their calls go on.
	Collect collect.Config `koanf:"collect"`
	// Sealing keeps the keys that chat text is sealed to on its way. Under `anteroom run` they are in the data folder.
	Sealing sealing.Config `koanf:"sealing"`
	// Sweep deletes what has to be gone.
	Sweep retention.SweepConfig `koanf:"sweep"`
	// Backup is where backups are and how long they are kept.
	Backup backup.Config `koanf:"backup"`
	// Ledger proves what was stored and deleted. Under `anteroom run` it is in the data folder.
	Ledger ledger.Config `koanf:"ledger"`
	// Recording writes meetings to files. Under `anteroom run` they are in the data folder.
	Recording record.Config `koanf:"recording"`
	// Transcription sends participants' audio to where it is written down.
	Transcription record.SinkConfig `koanf:"transcription"`
	// Recorder hands the events of meetings to Kafka.
	Recorder recorder.Config `koanf:"recorder"`
	// Exports are reports as files. Under `anteroom run` they are in the data folder.
	Exports report.Config `koanf:"exports"`
	// Webhooks tell other services of meetings.
	Webhooks webhook.Config `koanf:"webhooks"`
	// Embedded are the engines of `anteroom run`.
	Embedded Embedded `koanf:"embedded"`
	// Log is what the service says about itself.
	Log Log `koanf:"log"`
	// Operations is where whoever watches a process asks it.
	Operations Operations `koanf:"operations"`
	// Tracing sends spans of requests and events to a collector.
	Tracing tracing.Config `koanf:"tracing"`
}

// Labelling configures the pseudonyms of foreign participants.
type Labelling struct {
	// Key is the master key, at least 32 bytes of text. All nodes of a region need the same one, and with another key the
	// participants of a call that is imported again get other pseudonyms. At most one of Key and KeyFile.
	// Default: `anteroom run` makes one in the data folder; `anteroom serve` with the role ingest requires one.
	Key string `koanf:"key" json:"-"`
	// KeyFile is a file with the master key; white space around it is dropped. Default none.
	KeyFile string `koanf:"key_file"`
}

// minKeyLen is label.MinKeyLen, in bytes of text here.
const minKeyLen = label.MinKeyLen

// Master reads the master key; nil if none is configured.
func (l Labelling) Master() ([]byte, error) {
	key := l.Key
	if l.KeyFile != "" {
		text, err := os.ReadFile(l.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("labelling.key_file: %w", err)
		}
		if key = strings.TrimSpace(string(text)); len(key) < minKeyLen {
			return nil, fmt.Errorf("labelling.key_file: holds fewer than %d bytes", minKeyLen)
		}
	}
	if key == "" {
		return nil, nil
	}
	return []byte(key), nil
}

func (l Labelling) validate() error {
	switch {
	case l.Key != "" && l.KeyFile != "":
		return errors.New("key_file: is set beside key; give one of them")
	case l.Key != "" && len(l.Key) < minKeyLen:
		return fmt.Errorf("key: has fewer than %d bytes", minKeyLen)
	}
	return nil
}

// Embedded configures the engines of the one-machine default. It says nothing to `anteroom serve`.
type Embedded struct {
	// Data is the folder that holds everything. Default "./data".
	Data string `koanf:"data"`
	// Demo loads the demonstration calls, and has a meeting played, when there are no calls. Default true.
	Demo bool `koanf:"demo"`
	// ClickHouseBinary is a `clickhouse` program to use. Default: the one on the PATH, and without one the library.
	ClickHouseBinary string `koanf:"clickhouse_binary"`
	// Library is the path of libchdb.so. Default: lib/ beside the program. When set, the PATH is not searched.
	Library string `koanf:"library"`
	// MemoryRatio is the share of the machine's memory that ClickHouse may use, above 0 and up to 1. Default 0.5.
	MemoryRatio float64 `koanf:"memory_ratio"`
	// MergeThreads is the number of ClickHouse's background merge threads. Default 2.
	MergeThreads int `koanf:"merge_threads"`
	// LogDays is how many days ClickHouse keeps its own query and part logs. Default 3.
	LogDays int `koanf:"log_days"`
	// Regions are the further regions, each a database of its own in the one ClickHouse. Default amer.
	Regions []string `koanf:"regions"`
}

// Log configures the log, which goes to standard error.
type Log struct {
	// Level is debug, info, warn or error. Default info.
	Level string `koanf:"level"`
	// Format is text or json. Default text.
	Format string `koanf:"format"`
}

// Default is the configuration of one machine.
func Default() Config {
	engine := embedded.DefaultClickHouseConfig("")
	return Config{
		API:           api.DefaultConfig(),
		Ingest:        ingest.DefaultConfig(),
		Rollups:       store.DefaultRollupsConfig(),
		Analytics:     analytics.DefaultConfig(),
		ClickHouse:    store.DefaultConfig(),
		Kafka:         kafka.DefaultConfig(),
		Quality:       quality.DefaultConfig(),
		Identity:      identity.DefaultConfig(),
		Policy:        policy.DefaultConfig(),
		Retention:     retention.DefaultConfig(),
		Live:          live.DefaultConfig(),
		Logs:          logs.DefaultConfig(),
		Media:         media.DefaultConfig(),
		Nodes:         nodes.DefaultConfig(),
		Signalling:    signal.DefaultConfig(),
		Collect:       collect.DefaultConfig(),
		Sealing:       sealing.DefaultConfig(),
		Sweep:         retention.DefaultSweepConfig(),
		Revisions:     revisions.DefaultConfig(),
		Bundles:       exchange.DefaultConfig(),
		Sandbox:       sandbox.DefaultConfig(),
		Backup:        backup.DefaultConfig(),
		Ledger:        ledger.DefaultConfig(),
		Recording:     record.DefaultConfig(),
		Transcription: record.DefaultSinkConfig(),
		Recorder:      recorder.DefaultConfig(),
		Exports:       report.DefaultConfig(),
		Webhooks:      webhook.DefaultConfig(),
		Embedded: Embedded{
			Data: "./data", Demo: true,
			MemoryRatio: engine.MemoryRatio, MergeThreads: engine.Pool, LogDays: engine.LogDays, Regions: []string{"amer"},
		},
		Log:     Log{Level: "info", Format: "text"},
		Tracing: tracing.DefaultConfig(),
	}
}

// Mode is what a configuration is to be used for; it decides what must be set and what must not.
type Mode string

// The modes are named for their commands.
const (
	// Run starts embedded engines.
	Run Mode = "run"
	// Serve uses a Kafka and a ClickHouse that are there.
	Serve Mode = "serve"
)

// ModeOf guesses what a configuration is meant for: who names Kafka brokers doesn't want an embedded one.
func (c Config) ModeOf() Mode {
	if len(c.Kafka.Brokers) > 0 {
		return Serve
	}
	return Run
}

// Validate reports all that can't work, each by its key.
func (c Config) Validate(mode Mode) error {
	var errs []error
	section := func(name string, err error) { errs = append(errs, prefixed(name, err)...) }
	section("api", c.API.Validate())
	section("ingest", c.Ingest.Validate())
	section("rollups", c.Rollups.Validate())
	section("analytics", c.Analytics.Validate())
	if mode == Serve {
		section("clickhouse", c.ClickHouse.Validate())
		section("kafka", c.Kafka.Validate())
		section("regions", c.validateRegions())
	} else {
		errs = append(errs, c.engineless()...)
		section("api", c.API.ValidateLoopback())
		section("embedded", c.Embedded.validate())
		section("embedded.regions", c.validateEmbeddedRegions())
	}
	_, err := quality.NewProfiles(c.Quality)
	section("quality", err)
	section("labelling", c.Labelling.validate())
	section("identity", c.Identity.Validate())
	section("policy", c.Policy.Validate())
	section("retention", c.Retention.Validate())
	section("media", c.Media.Validate())
	section("nodes", c.Nodes.Validate())
	section("signalling", c.Signalling.Validate())
	section("collect", c.Collect.Validate())
	section("sealing", errors.Join(c.Sealing.Validate(), c.validateSlack()))
	section("sweep", c.Sweep.Validate())
	section("revisions", c.Revisions.Validate())
	section("bundles", c.Bundles.Validate())
	section("sandbox", c.Sandbox.Validate())
	section("backup", c.Backup.Validate())
	section("ledger", c.Ledger.Validate())
	section("recording", c.Recording.Validate())
	section("transcription", c.Transcription.Validate())
	section("live", c.Live.Validate())
	section("logs", c.Logs.Validate())
	section("recorder", c.Recorder.Validate())
	section("exports", c.Exports.Validate())
	section("webhooks", c.Webhooks.Validate())
	section("log", c.Log.validate())
	section("operations", c.Operations.validate())
	section("tracing", c.Tracing.Validate())
	return errors.Join(errs...)
}

// validateSlack sees to it that no key is done with while what was sealed to it may still be on its way to Kafka.
func (c Config) validateSlack() error {
	longest := cmp.Or(c.Media.Meeting.RecordTimeout, media.DefaultConfig().Meeting.RecordTimeout)
	if c.Sealing.Slack <= longest {
		return fmt.Errorf("slack: is %v; give more than media.meeting.record_timeout, which is %v", c.Sealing.Slack, longest)
	}
	return nil
}

// ValidateClickHouse looks at what a migration needs.
func (c Config) ValidateClickHouse() error {
	errs := prefixed("clickhouse", c.ClickHouse.Validate())
	return errors.Join(append(errs, prefixed("regions", c.validateDatabases())...)...)
}

// engineless refuses, under run, a Kafka and a ClickHouse of one's own: silently using others than those named would be worse.
func (c Config) engineless() []error {
	var errs []error
	def := Default()
	const advice = "`anteroom run` starts its own; leave this section out, or use `anteroom serve`"
	same := func(a, b any) bool { return reflect.DeepEqual(toMap(reflect.ValueOf(a)), toMap(reflect.ValueOf(b))) }
	if !same(c.Kafka, def.Kafka) {
		errs = append(errs, errors.New("kafka: "+advice))
	}
	if !same(c.ClickHouse, def.ClickHouse) {
		errs = append(errs, errors.New("clickhouse: "+advice))
	}
	if len(c.Regions) > 0 {
		errs = append(errs, errors.New("regions: `anteroom run` starts its own engines; name further regions in embedded.regions, or use `anteroom serve`"))
	}
	return errs
}

func (e Embedded) validate() error {
	var errs []error
	if e.Data == "" {
		errs = append(errs, errors.New("data: is empty; name a folder"))
	}
	if e.MemoryRatio <= 0 || e.MemoryRatio > 1 {
		errs = append(errs, fmt.Errorf("memory_ratio: %v is not above 0 and up to 1", e.MemoryRatio))
	}
	if e.MergeThreads < 1 {
		errs = append(errs, fmt.Errorf("merge_threads: %d is not above zero", e.MergeThreads))
	}
	if e.LogDays < 1 {
		errs = append(errs, fmt.Errorf("log_days: %d is not above zero", e.LogDays))
	}
	return errors.Join(errs...)
}

// Operations configures /healthz, /readyz and /metrics at an address of their own. The API has them as well; a process without the roles media and api has
// no other address.
type Operations struct {
	// Listen is host:port, reached by whoever watches and nobody else: what it tells is about parts and counts. Default "": none.
	Listen string `koanf:"listen"`
}

func (o Operations) validate() error {
	if o.Listen == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		return fmt.Errorf("listen: %q is not host:port", o.Listen)
	}
	return nil
}

func (l Log) validate() error {
	var errs []error
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Level) {
		errs = append(errs, fmt.Errorf("level: %q is not one of debug, info, warn, error", l.Level))
	}
	if !slices.Contains([]string{"text", "json"}, l.Format) {
		errs = append(errs, fmt.Errorf("format: %q is not one of text, json", l.Format))
	}
	return errors.Join(errs...)
}

// SlogLevel is the level for slog. Only for a valid Log.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // Validate has looked at it; otherwise it stays at info
	return level
}

// prefixed puts a section's name, if any, before each of its rooms' complaints.
func prefixed(name string, err error) []error {
	if err == nil {
		return nil
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		joined, ok := e.(interface{ Unwrap() []error }) // the loop does the unwrapping
		if !ok {
			continue
		}
		var out []error
		for _, single := range joined.Unwrap() {
			out = append(out, prefixed(name, single)...)
		}
		return out
	}
	text := strings.TrimPrefix(err.Error(), "read quality thresholds: ")
	switch {
	case name != "" && strings.HasPrefix(text, "["): // an entry of a list
		text = name + text
	case name != "":
		text = name + "." + text
	}
	return []error{errors.New(text)}
}
