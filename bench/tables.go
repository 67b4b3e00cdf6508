package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

// kafkaTable are the settings of ClickHouse's Kafka table engine.
type kafkaTable struct {
	Consumers     int
	BlockSize     int
	FlushInterval time.Duration
}

func (k kafkaTable) String() string {
	return fmt.Sprintf("kafka_num_consumers = %d, kafka_thread_per_consumer = 1, kafka_max_block_size = %d, kafka_flush_interval_ms = %d",
		k.Consumers, k.BlockSize, k.FlushInterval.Milliseconds())
}

// sampleFields are the gauges of a sample, alike in the contract and in the table.
const (
	counterFields = "packets packets_lost bytes packets_discarded retransmitted_packets frames frames_dropped freezes nacks plis firs"
	gaugeFields   = "jitter_ms rtt_ms jitter_buffer_ms healed_ratio frame_rate frame_height freeze_ms bitrate_bps available_bitrate_bps loss_ratio"
)

func counterType(name string) string {
	switch name {
	case "packets_lost":
		return "Int64"
	case "nacks", "plis", "firs":
		return "UInt32"
	}
	return "UInt64"
}

// protobufQueue makes the table that reads the region's topic as it is, and the view's query.
func (r *rig) protobufQueue(group string, settings kafkaTable) (table, view string, err error) {
	const schema = "event"
	if err := r.writeSchema(schema); err != nil {
		return "", "", err
	}
	sample := []string{"stream_id String", "direction Int8", "media Int8", "ssrc UInt32", "codec String"}
	columns := []string{"s.ssrc AS ssrc", "s.codec AS codec"}
	for _, name := range strings.Fields(counterFields) {
		sample = append(sample, name+" "+counterType(name))
		columns = append(columns, "s."+name+" AS "+name)
	}
	for _, name := range strings.Fields(gaugeFields) {
		sample = append(sample, name+" Nullable(Float32)")
		columns = append(columns, "s."+name+" AS "+name)
	}
	table = fmt.Sprintf(`CREATE TABLE queue (
		org String, region String, call_id String, observed_at_us Int64, source_kind Int8,
		stream_report Tuple(participant_id String, interval_ms UInt32, streams Array(Tuple(%s)))
	) ENGINE = Kafka SETTINGS %s`, strings.Join(sample, ", "),
		r.queueSettings(event.Topic(region, event.Lossy), group, "ProtobufSingle", settings)+
			", kafka_schema = '"+filepath.Join(r.dir, "schemas", schema)+":Event'")
	view = `CREATE MATERIALIZED VIEW queue_to_samples TO samples AS
		SELECT org, region, call_id, ` + uuidOf("stream_report.participant_id") + ` AS participant_id, ` + uuidOf("s.stream_id") + ` AS stream_id,
			fromUnixTimestamp64Micro(observed_at_us, 'UTC') AS observed_at, stream_report.interval_ms AS interval_ms, source_kind,
			s.direction AS direction, s.media AS media, ` + strings.Join(columns, ", ") + `,
			_topic, toInt32(_partition) AS _partition, toInt64(_offset) AS _offset, toUInt32(i - 1) AS _index
		FROM queue ARRAY JOIN stream_report.streams AS s, arrayEnumerate(stream_report.streams) AS i`
	return table, view, nil
}

// writeSchema puts the wire contract where ClickHouse looks for schemas.
func (r *rig) writeSchema(name string) error {
	if err := os.WriteFile(filepath.Join(r.dir, "schemas", name+".proto"), []byte(eventSchema()), 0o600); err != nil {
		return fmt.Errorf("write schema: %w", err)
	}
	return nil
}

// uuidOf reads 16 bytes, whose halves ClickHouse keeps the other way round.
func uuidOf(bytes string) string {
	return fmt.Sprintf("reinterpretAsUUID(concat(reverse(substring(%[1]s, 1, 8)), reverse(substring(%[1]s, 9, 8))))", bytes)
}

// jsonQueue is the same for the topic that has a JSON record per row.
func (r *rig) jsonQueue(group string, settings kafkaTable) (table, view string) {
	columns := []string{
		"org String", "region String", "call_id String", "participant_id UUID", "stream_id UUID", "observed_at_us Int64", "interval_ms UInt32",
		"source_kind String", "direction String", "media String", "ssrc UInt32", "codec String",
	}
	names := strings.Fields(counterFields + " " + gaugeFields)
	for _, name := range strings.Fields(counterFields) {
		columns = append(columns, name+" "+counterType(name))
	}
	for _, name := range strings.Fields(gaugeFields) {
		columns = append(columns, name+" Nullable(Float32)")
	}
	table = "CREATE TABLE queue (" + strings.Join(columns, ", ") + ") ENGINE = Kafka SETTINGS " +
		r.queueSettings(jsonTopic, group, "JSONEachRow", settings)
	view = `CREATE MATERIALIZED VIEW queue_to_samples TO samples AS
		SELECT org, region, call_id, participant_id, stream_id, fromUnixTimestamp64Micro(observed_at_us, 'UTC') AS observed_at, interval_ms,
			source_kind, direction, media, ssrc, codec, ` + strings.Join(names, ", ") + `,
			_topic, toInt32(_partition) AS _partition, toInt64(_offset) AS _offset, toUInt32(0) AS _index
		FROM queue`
	return table, view
}

func (r *rig) queueSettings(topic, group, format string, k kafkaTable) string {
	return fmt.Sprintf(`kafka_broker_list = '%s', kafka_topic_list = '%s', kafka_group_name = '%s', kafka_format = '%s', %s`,
		strings.Join(r.broker.Plaintext, ","), topic, group, format, k)
}

// tableEngine lets ClickHouse read the topic by itself, from the making of the view until all rows can be queried.
func (r *rig) tableEngine(ctx context.Context, t target, rows int, table, view string) (outcome, error) {
	conn, err := t.open()
	if err != nil {
		return outcome{}, err
	}
	defer conn.Close()
	if err := conn.Exec(ctx, table); err != nil {
		return outcome{}, fmt.Errorf("make the Kafka table: %w", err)
	}
	meter := startMeter(r.engine.Pid(), r.kafkaPid)
	if err := conn.Exec(ctx, view); err != nil {
		return outcome{}, fmt.Errorf("make the view: %w", err)
	}
	patience, cancel := context.WithTimeout(ctx, tableEnginePatience)
	defer cancel()
	if err := waitForRows(patience, conn, rows); err != nil {
		return outcome{}, errors.Join(err, consumerError(ctx, conn))
	}
	out := outcome{Usage: meter.stop()}
	out.Usage.Self = 0
	if err := conn.Exec(ctx, "DROP VIEW queue_to_samples SYNC"); err != nil {
		return out, fmt.Errorf("drop the view: %w", err)
	}
	if err := conn.Exec(ctx, "DROP TABLE queue SYNC"); err != nil {
		return out, fmt.Errorf("drop the Kafka table: %w", err)
	}
	return out, nil
}

// tableEnginePatience is after which the table engine is taken to be stuck: it tries again for ever.
const tableEnginePatience = 3 * time.Minute

// consumerError is the last trouble that the table engine's consumers tell of, nil if there is none.
func consumerError(ctx context.Context, conn querier) error {
	var text string
	row := conn.QueryRow(ctx, "SELECT arrayStringConcat(groupUniqArrayArray(exceptions.text), '; ') FROM system.kafka_consumers WHERE database = currentDatabase()")
	if err := row.Scan(&text); err != nil {
		return fmt.Errorf("ask the Kafka table's consumers: %w", err)
	}
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// jsonRow is a row of samples as JSON.
type jsonRow struct {
	Org                  string    `json:"org"`
	Region               string    `json:"region"`
	CallID               string    `json:"call_id"`
	ParticipantID        uuid.UUID `json:"participant_id"`
	StreamID             uuid.UUID `json:"stream_id"`
	ObservedAtUs         int64     `json:"observed_at_us"`
	IntervalMs           uint32    `json:"interval_ms"`
	SourceKind           string    `json:"source_kind"`
	Direction            string    `json:"direction"`
	Media                string    `json:"media"`
	Ssrc                 uint32    `json:"ssrc"`
	Codec                string    `json:"codec"`
	Packets              uint64    `json:"packets"`
	PacketsLost          int64     `json:"packets_lost"`
	Bytes                uint64    `json:"bytes"`
	PacketsDiscarded     uint64    `json:"packets_discarded"`
	RetransmittedPackets uint64    `json:"retransmitted_packets"`
	Frames               uint64    `json:"frames"`
	FramesDropped        uint64    `json:"frames_dropped"`
	Freezes              uint64    `json:"freezes"`
	Nacks                uint32    `json:"nacks"`
	Plis                 uint32    `json:"plis"`
	Firs                 uint32    `json:"firs"`
	JitterMs             *float32  `json:"jitter_ms,omitempty"`
	RttMs                *float32  `json:"rtt_ms,omitempty"`
	JitterBufferMs       *float32  `json:"jitter_buffer_ms,omitempty"`
	HealedRatio          *float32  `json:"healed_ratio,omitempty"`
	FrameRate            *float32  `json:"frame_rate,omitempty"`
	FrameHeight          *float32  `json:"frame_height,omitempty"`
	FreezeMs             *float32  `json:"freeze_ms,omitempty"`
	BitrateBps           *float32  `json:"bitrate_bps,omitempty"`
	AvailableBitrateBps  *float32  `json:"available_bitrate_bps,omitempty"`
}

func jsonRows(e *eventpb.Event) []jsonRow {
	report := e.GetStreamReport()
	lower := func(s fmt.Stringer, prefix string) string {
		return strings.ToLower(strings.TrimPrefix(s.String(), prefix))
	}
	rows := make([]jsonRow, len(report.Streams))
	for i, s := range report.Streams {
		rows[i] = jsonRow{
			Org: e.Org, Region: e.Region, CallID: e.CallId, ParticipantID: uuid.UUID(report.ParticipantId), StreamID: uuid.UUID(s.StreamId),
			ObservedAtUs: e.ObservedAtUs, IntervalMs: report.IntervalMs, SourceKind: lower(e.SourceKind, "SOURCE_KIND_"),
			Direction: lower(s.Direction, "DIRECTION_"), Media: lower(s.Media, "MEDIA_"), Ssrc: s.Ssrc, Codec: s.Codec,
			Packets: s.Packets, PacketsLost: s.PacketsLost, Bytes: s.Bytes, PacketsDiscarded: s.PacketsDiscarded,
			RetransmittedPackets: s.RetransmittedPackets, Frames: s.Frames, FramesDropped: s.FramesDropped, Freezes: s.Freezes,
			Nacks: s.Nacks, Plis: s.Plis, Firs: s.Firs, JitterMs: s.JitterMs, RttMs: s.RttMs, JitterBufferMs: s.JitterBufferMs,
			HealedRatio: s.HealedRatio, FrameRate: s.FrameRate, FrameHeight: s.FrameHeight, FreezeMs: s.FreezeMs,
			BitrateBps: s.BitrateBps, AvailableBitrateBps: s.AvailableBitrateBps,
		}
	}
	return rows
}
