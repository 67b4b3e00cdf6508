package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// write is the page.
func write(m measured, a assumptions, n needs) string {
	p := places
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format, args...) }
	row := func(cells ...string) { say("| %s |\n", strings.Join(cells, " | ")) }
	say("# How large it gets\n\nWritten by `go run ./internal/scale > docs/scale.md`; the figures of the first table are read from [benchmarks.md](benchmarks.md), and a test sees to it that they are near.\n")
	say("**Nobody has run this at such a size.** It multiplies what a machine with two processors did by what is assumed about people, machines and prices, so that one sees which part matters. Change an assumption in\n`internal/scale` and look again.\n")
	figures, err := json.Marshal(m)
	if err != nil {
		return err.Error() // numbers can be written
	}
	say("\n<!-- measured: %s -->\n", figures)
	say("\n## What one node of each role carries\n\n| role | measured | a node of %s processors, used to %s %% |\n|---|---|---|\n", p(a.Cores), p(100*a.Used))
	row("media", fmt.Sprintf("%.2f µs of processor time per forwarded packet, all included", m.PacketMicros), fmt.Sprintf("%s packets/s: %s participants, %s Gbit/s out", p(n.PacketsPerNode), p(n.ParticipantsPerNode), p(n.GbpsPerNode)))
	row("media, joins", p(m.JoinsPerSecond)+" a second, clients on the same two processors", fmt.Sprintf("needed, if all come within %s minutes: %s a second", p(a.JoinMinutes), p(n.JoinsPerNode)))
	row("ingest", fmt.Sprintf("%s rows/s with Kafka and ClickHouse beside it; %.2f µs per row", p(m.RowsPerSecond), m.IngestMicros), p(a.Cores*a.Used*1e6/m.IngestMicros)+" rows/s of processor time, up to as many processes as there are partitions")
	row("ClickHouse", fmt.Sprintf("%.2f µs per row inserted", m.ClickHouseMicros), fmt.Sprintf("%s rows/s for a shard, with %s times the work for merges and questions", p(a.ShardCores*a.Used*1e6/m.ClickHouseMicros/a.Merges), p(a.Merges)))
	row("retention", fmt.Sprintf("%s copies gone and proven in %s s", p(m.DueCopies), p(m.DueSeconds)), p(n.SweepPerSecond)+" copies/s for a region: one sweeper works at a time")
	row("api", "see [questions about calls](benchmarks.md#questions-about-calls)", "holds no state: as many as are asked for")

	say("\n## What %s participants at once need\n\n", p(a.Participants))
	say("Assumed: each hears %s and sees %s others (%s and %s kbit/s), sends %s streams, and each stream makes a row every %s s; %s messages an hour to %s guests each; over a day %s %% of the peak.\n\n",
		p(a.Audio), p(a.Video), p(a.AudioKbps), p(a.VideoKbps), p(a.Own), p(a.ReportSeconds), p(a.MessagesPerHour), p(a.Guests), p(100*a.Average))
	say("| | | from |\n|---|--:|---|\n")
	row("media nodes", p(n.Nodes), fmt.Sprintf("%s participants each; a tenth more as spare", p(n.ParticipantsPerNode)))
	row("installations (cells)", p(n.Cells), fmt.Sprintf("at most %s media nodes each: every node reads every other's sign of life", p(a.NodesPerCell)))
	row("out of the door", p(n.Tbps)+" Tbit/s", "at the peak")
	row("rows of samples", p(n.RowsPerSecond)+" a second", "at the peak")
	row("processors of ingest", p(n.IngestCores), "used to the same share")
	row("processors of ClickHouse", p(n.ClickHouseCores), fmt.Sprintf("%s replicas; %s shards of %s processors at least, one per cell in any case", p(a.ClickHouseReplicas), p(n.Shards), p(a.ShardCores)))
	row("brokers", p(n.Brokers), fmt.Sprintf("three per cell, min.insync.replicas 2; the work itself is %s processors", p(n.KafkaCores)))
	row("ClickHouse's disks, a day", p(n.DiskPerDay)+" TB", fmt.Sprintf("%s bytes a row at most: what a record has before compression; each replica", p(m.RecordBytes/m.RowsPerRecord)))
	row(fmt.Sprintf("ClickHouse's disks, %s days", p(a.DiskDays)), p(n.Disk)+" TB", "all replicas")
	row("Kafka's disks, a day", p(n.KafkaPerDay)+" TB", fmt.Sprintf("%s copies, before compression; a week is kept", p(a.KafkaReplicas)))
	row("copies of chat", p(n.CopiesPerSecond)+" a second", fmt.Sprintf("on average; as many fall due later, and a region's sweeper does %s", p(n.SweepPerSecond)))
	say("\n| cost a month | € | at |\n|---|--:|---|\n")
	row("processors", p(n.ComputeMonth), fmt.Sprintf("%.3f € for a core and hour, all the time", a.CoreHour))
	row("disks", p(n.DiskMonth), fmt.Sprintf("%.3f € for a GB and month", a.DiskMonth))
	row("traffic", p(n.EgressMonth), fmt.Sprintf("%.4f € for a GB that goes out", a.Egress))

	say(`
## Where it breaks first

In this order, as participants grow:

1. **Media nodes of one installation** (%s nodes, some %s participants): each node [writes a sign of life every second and reads all others'](scale-out.md#limits). Beyond, run several installations (cells) with organisations spread over
   them; nothing crosses them but an organisation's own regions.
2. **One meeting** is in one process: its limit is that of one node, and the product's own limits (1000 in a meeting, 350 in a call) come before.
3. **The sweeper of a region**: one works at a time, %s copies/s. That is %s times what falls due on average here; bursts, as all copies of a working hour, are late by minutes. More regions or cells are the way.
4. **Partitions**: ingest has as many processes as a topic has partitions (ingest.partitions), which is set when it is made.
5. **Traffic** costs more than all the rest. Fewer pictures at once (media.forward.last_n_video) and simulcast are what helps.

What isn't known: how ClickHouse's merges fare over months at this rate (assumed as %s times the work), joins of many meetings at once on one node, and rebalances with hundreds of partitions.
`, p(a.NodesPerCell), p(a.NodesPerCell*n.ParticipantsPerNode), p(n.SweepPerSecond), p(n.SweepPerSecond/n.CopiesPerSecond), p(a.Merges))
	return out.String()
}
