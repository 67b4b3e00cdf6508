// Command bench measures ingest beside what else could do its work: raw inserts by clickhouse-go, and ClickHouse's own Kafka table
// engine with a materialized view. All of them, in turns and in one run, take the same records from the same Apache Kafka to the same
// table of the same ClickHouse, in a fresh database each time; and what they stored is compared.
//
// It starts its own engines on loopback and stops them; it needs Java and Maven for Apache Kafka. Figures of one run on one machine
// can be compared with each other and with nothing else: other work on the machine moves all of them. So contenders take turns, and
// what counts are ratios within a round.
//
// Each contender that is a process of ours runs in a process of its own, which is a second run of this binary (child.go).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/anteroom/anteroom/internal/embedded"
)

// options are the flags.
type options struct {
	Rows   int // stream samples, streamsPerReport in each record
	Rounds int
	JSON   bool
	// Latency is how long the produce-to-query time is measured; 0 for not at all. LoadRows is the load meanwhile, rows per
	// second; 0 for half of what ingest did in this run.
	Latency  time.Duration
	LoadRows int
	// Limit is after which no further round is begun.
	Limit   time.Duration
	Docs    string
	Profile string
	// Only are the contenders to measure, separated by commas; all of them if empty.
	Only   string
	Tables kafkaTable
	Media  mediaOptions
	Sweep  retentionOptions
	Calls  analyticsOptions
}

func defaultOptions() options {
	return options{
		Rows: 3_000_000, Rounds: 3, JSON: true, Latency: 20 * time.Second, Limit: 7 * time.Minute,
		Tables: kafkaTable{Consumers: 4, BlockSize: 524_288, FlushInterval: 7500 * time.Millisecond},
		Media:  mediaOptions{Anteroom: "bin/anteroom", Rounds: 5, Duration: 10 * time.Second, Bitrate: 1_000_000, OnePort: true, LiveKit: "bench/livekit"},
		Sweep:  retentionOptions{Due: 1_000_000, Live: 10_000_000, Idle: 10},
		Calls:  analyticsOptions{Samples: 100_000_000, Times: 40},
	}
}

func main() {
	embedded.ChildMain()
	childMain()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := defaultOptions()
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.Rows, "rows", o.Rows, "rows that each contender stores")
	flags.IntVar(&o.Rounds, "rounds", o.Rounds, "how often each contender's turn comes")
	flags.BoolVar(&o.JSON, "json", o.JSON, "let the Kafka table engine also read the rows as JSONEachRow, one per record, once")
	flags.DurationVar(&o.Latency, "latency", o.Latency, "how long to measure the time from produce to query; 0 for not at all")
	flags.IntVar(&o.LoadRows, "load", o.LoadRows, "rows per second meanwhile; 0 for half of what ingest did in this run")
	flags.DurationVar(&o.Limit, "limit", o.Limit, "begin no further round after this long")
	flags.StringVar(&o.Docs, "docs", "docs/benchmarks.md", `file to write the result into, between its markers; "" for none`)
	flags.StringVar(&o.Profile, "profile", "", "write a CPU profile of ingest's first turn to this file")
	flags.StringVar(&o.Only, "only", "", "contenders to measure, separated by commas, or media, retention or analytics; all but the last two if empty (else there are no ratios, and nothing is written, but of those three)")
	flags.IntVar(&o.Tables.Consumers, "engine-consumers", o.Tables.Consumers, "kafka_num_consumers of the Kafka table engine")
	flags.IntVar(&o.Tables.BlockSize, "engine-block", o.Tables.BlockSize, "kafka_max_block_size of the Kafka table engine")
	flags.DurationVar(&o.Tables.FlushInterval, "engine-flush", o.Tables.FlushInterval, "kafka_flush_interval_ms of the Kafka table engine")
	flags.StringVar(&o.Media.Anteroom, "anteroom", o.Media.Anteroom, "the binary that the media comparison measures")
	flags.IntVar(&o.Media.Rounds, "media-rounds", o.Media.Rounds, "how often each server's turn comes in the media comparison; 0 for not at all")
	flags.DurationVar(&o.Media.Duration, "media-duration", o.Media.Duration, "how long each turn of the media comparison is measured")
	flags.IntVar(&o.Media.Bitrate, "media-bitrate", o.Media.Bitrate, "bits per second of each publisher's video in the media comparison")
	flags.BoolVar(&o.Media.OnePort, "media-one-port", o.Media.OnePort, "let the relay have all media on one UDP socket, as Anteroom does; else one per connection")
	flags.StringVar(&o.Media.LiveKit, "media-livekit", o.Media.LiveKit, `folder of the module that puts the same load on LiveKit's server; "" leaves it out`)
	flags.IntVar(&o.Sweep.Due, "due", o.Sweep.Due, "copies that fall due at once in the measurement of the sweep; 0 for none")
	flags.IntVar(&o.Sweep.Live, "live", o.Sweep.Live, "copies that are kept besides in the measurement of the sweep")
	flags.IntVar(&o.Sweep.Idle, "idle", o.Sweep.Idle, "idle sweeps in the measurement of the sweep")
	flags.IntVar(&o.Calls.Samples, "samples", o.Calls.Samples, "samples in the measurement of questions about calls, a thousand for each call")
	flags.StringVar(&o.Calls.Data, "data", "", "folder that keeps what was filled in for questions about calls, and is asked again if it has it")
	flags.IntVar(&o.Calls.Times, "times", o.Calls.Times, "how often each question is asked in that measurement")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.Rows < streamsPerReport || o.Rounds < 1 {
		return fmt.Errorf("-rows must be at least %d and -rounds at least 1", streamsPerReport)
	}
	// Whatever hangs, the run ends.
	ctx, cancel := context.WithTimeout(ctx, o.Limit+patience(o.Only))
	defer cancel()
	if o.Only == onlyAnalytics {
		result, err := measureAnalytics(ctx, o.Calls, stderr)
		if err != nil {
			return fmt.Errorf("analytics: %w", err)
		}
		return publish(stdout, o.Docs, analyticsMarkers, result.markdown())
	}
	if o.Only == onlyRetention {
		result, err := measureRetention(ctx, o.Sweep, stderr)
		if err != nil {
			return fmt.Errorf("retention: %w", err)
		}
		return publish(stdout, o.Docs, retentionMarkers, result.markdown())
	}
	if o.Only != onlyMedia {
		result, err := measure(ctx, o, stderr)
		if err != nil {
			return err
		}
		if o.Only != "" {
			return nil
		}
		if err := publish(stdout, o.Docs, ingestMarkers, result.markdown()); err != nil {
			return err
		}
	}
	if o.Media.Rounds == 0 {
		return nil
	}
	result, err := measureMedia(ctx, o.Media, stderr)
	if err != nil {
		return fmt.Errorf("media: %w", err)
	}
	return publish(stdout, o.Docs, mediaMarkers, result.markdown())
}

// patience is how long a measurement may take beyond its limit.
func patience(only string) time.Duration {
	if only == onlyAnalytics {
		return time.Hour // filling in takes as long as it takes
	}
	return 15 * time.Minute
}

// onlyMedia as what is to be measured: the media comparison alone.
const onlyMedia = "media"

// publish prints a result, and writes it to the page if there is one.
func publish(stdout io.Writer, page string, between markers, text string) error {
	fmt.Fprintln(stdout, text)
	if page == "" {
		return nil
	}
	return writeBetweenMarkers(page, between, text)
}
