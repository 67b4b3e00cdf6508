// Command scale works out what many participants need, from what docs/benchmarks.md says was measured and from what it is told to assume, and writes docs/scale.md.
//
//	go run ./internal/scale -participants 1000000 > docs/scale.md
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	a := assumed()
	flag.Float64Var(&a.Participants, "participants", a.Participants, "participants at once")
	benchmarks := flag.String("benchmarks", "docs/benchmarks.md", "the `page` of what was measured")
	flag.Parse()
	if err := run(os.Stdout, *benchmarks, a); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, benchmarks string, a assumptions) error {
	page, err := os.ReadFile(benchmarks)
	if err != nil {
		return fmt.Errorf("read what was measured: %w", err)
	}
	m, err := measuredIn(string(page))
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, write(m, a, work(m, a)))
	return err
}

// measured are figures of docs/benchmarks.md, of a machine with two processors that did everything at once.
type measured struct {
	// RowsPerSecond is ingest from Kafka to the table; the others are processor time per row, in µs.
	RowsPerSecond, IngestMicros, ClickHouseMicros, KafkaMicros float64
	// RecordBytes of RowsPerRecord rows, in Protobuf.
	RecordBytes, RowsPerRecord float64
	// PacketMicros is processor time per forwarded packet; JoinsPerSecond into one meeting.
	PacketMicros, JoinsPerSecond float64
	// DueCopies were purged and proven within DueSeconds.
	DueCopies, DueSeconds float64
}

// measuredIn reads the page; a figure that isn't there is an error.
func measuredIn(page string) (m measured, err error) {
	for _, figure := range []struct {
		into    []*float64
		pattern string
	}{
		{[]*float64{&m.RowsPerSecond, &m.IngestMicros, &m.ClickHouseMicros, &m.KafkaMicros}, `(?m)^\| Anteroom's ingest, Kafka to table \| (\d+) \|.*\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| \d+ \|$`},
		{[]*float64{&m.RecordBytes}, `records of (\d+) bytes \(Protobuf`},
		{[]*float64{&m.PacketMicros}, `(?m)^\| 10 × 10 \| Anteroom \| ([\d.]+) \|`},
		{[]*float64{&m.JoinsPerSecond}, `(?m)^\| 1000 users \| (\d+) \|`},
		{[]*float64{&m.DueCopies, &m.DueSeconds}, `(?m)^\| (\d+) copies due at once: hidden, purged, checked, proven \| ([\d.]+) s \|`},
	} {
		found := regexp.MustCompile(figure.pattern).FindStringSubmatch(page)
		if found == nil {
			return m, fmt.Errorf("what was measured has nothing like %s", figure.pattern)
		}
		for i, into := range figure.into {
			if *into, err = strconv.ParseFloat(found[i+1], 64); err != nil {
				return m, fmt.Errorf("%s: %w", found[0], err)
			}
		}
	}
	found := regexp.MustCompile(`(\d+) rows in (\d+) records`).FindStringSubmatch(page)
	if found == nil {
		return m, fmt.Errorf("what was measured doesn't say how many rows a record has")
	}
	rows, _ := strconv.ParseFloat(found[1], 64)
	records, _ := strconv.ParseFloat(found[2], 64)
	m.RowsPerRecord = rows / records
	return m, nil
}

// assumptions are what isn't measured: how people meet, what machines and money are like.
type assumptions struct {
	Participants float64
	// Audio and Video are streams that one participant hears and sees at once; their packets a second and kbit/s follow.
	Audio, Video, AudioPackets, VideoPackets, AudioKbps, VideoKbps float64
	// Own streams that one participant sends; each stream, sent or received, is a row every ReportSeconds.
	Own, ReportSeconds float64
	// Messages a participant writes an hour, and guests in a meeting, who get a copy each.
	MessagesPerHour, Guests float64
	// JoinMinutes is within how long all come at the full hour.
	JoinMinutes float64
	// Cores of a node, how much of them is used at most, and how many nodes an installation may have: each reads every other's sign of life.
	Cores, Used, NodesPerCell float64
	// Replicas of ClickHouse and Kafka; Merges is how much more ClickHouse does in the long run than in a short one; DiskDays are kept, at a share of the peak.
	ClickHouseReplicas, KafkaReplicas, Merges, DiskDays, Average float64
	// ShardCores, and prices in € for a core and hour, a GB and month of disk, and a GB that goes out.
	ShardCores, CoreHour, DiskMonth, Egress float64
}

func assumed() assumptions {
	return assumptions{
		Participants: 1e6, Audio: 3, Video: 4, AudioPackets: 50, VideoPackets: 45, AudioKbps: 40, VideoKbps: 400, Own: 2, ReportSeconds: 10,
		MessagesPerHour: 12, Guests: 2, JoinMinutes: 5, Cores: 16, Used: 0.6, NodesPerCell: 50,
		ClickHouseReplicas: 2, KafkaReplicas: 3, Merges: 3, DiskDays: 30, Average: 0.25, ShardCores: 16, CoreHour: 0.03, DiskMonth: 0.08, Egress: 0.005,
	}
}

// needs are what follows.
type needs struct {
	PacketsPerNode, ParticipantsPerNode, GbpsPerNode, Nodes, Cells float64
	RowsPerSecond, IngestCores, ClickHouseCores, KafkaCores        float64
	Shards, Brokers                                                float64
	DiskPerDay, Disk, KafkaPerDay                                  float64
	CopiesPerSecond, SweepPerSecond, JoinsPerNode, Tbps            float64
	ComputeMonth, DiskMonth, EgressMonth                           float64
}

const monthHours = 730

func work(m measured, a assumptions) (n needs) {
	packets := a.Audio*a.AudioPackets + a.Video*a.VideoPackets
	kbps := a.Audio*a.AudioKbps + a.Video*a.VideoKbps
	n.PacketsPerNode = a.Cores * a.Used * 1e6 / m.PacketMicros
	n.ParticipantsPerNode = n.PacketsPerNode / packets
	n.GbpsPerNode = n.ParticipantsPerNode * kbps / 1e6
	n.Nodes = math.Ceil(a.Participants / n.ParticipantsPerNode)
	n.Cells = math.Ceil(n.Nodes / a.NodesPerCell)
	n.Tbps = a.Participants * kbps / 1e9
	n.JoinsPerNode = a.Participants / n.Nodes / (a.JoinMinutes * 60)

	n.RowsPerSecond = a.Participants * (a.Own + a.Audio + a.Video) / a.ReportSeconds
	cores := func(micros float64) float64 { return n.RowsPerSecond * micros / 1e6 / a.Used }
	n.IngestCores = cores(m.IngestMicros)
	n.ClickHouseCores = cores(m.ClickHouseMicros) * a.Merges * a.ClickHouseReplicas
	n.KafkaCores = cores(m.KafkaMicros) * a.KafkaReplicas
	n.Shards = math.Ceil(n.ClickHouseCores / a.ClickHouseReplicas / a.ShardCores)
	n.Brokers = math.Max(3*n.Cells, math.Ceil(n.KafkaCores/4))

	perRow := m.RecordBytes / m.RowsPerRecord
	n.DiskPerDay = n.RowsPerSecond * a.Average * 86400 * perRow / 1e12
	n.Disk = n.DiskPerDay * a.DiskDays * a.ClickHouseReplicas
	n.KafkaPerDay = n.DiskPerDay * a.KafkaReplicas
	n.CopiesPerSecond = a.Participants * a.MessagesPerHour / 3600 * a.Guests * a.Average
	n.SweepPerSecond = m.DueCopies / m.DueSeconds

	n.ComputeMonth = (n.Nodes*a.Cores + n.IngestCores + n.ClickHouseCores + n.Brokers*4) * a.CoreHour * monthHours
	n.DiskMonth = (n.Disk + n.KafkaPerDay*7) * 1000 * a.DiskMonth
	n.EgressMonth = a.Participants * kbps / 8e6 * 3600 * monthHours * a.Average * a.Egress
	return n
}

// places tells of a number as many digits as mean something.
func places(x float64) string {
	switch {
	case x >= 1000:
		text := strconv.FormatFloat(math.Round(x), 'f', 0, 64)
		for i := len(text) - 3; i > 0; i -= 3 {
			text = text[:i] + "," + text[i:]
		}
		return text
	case x >= 10:
		return strconv.FormatFloat(math.Round(x), 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
}
