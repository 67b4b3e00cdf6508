package ingest

import (
	"bytes"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

// reported is a record with a stream report: nearly all records are. Its rows are made when it is decoded, straight from its bytes, so that a batch holds
// columns and neither records nor events. Should its event prove to be a double when the batch is cut, they are dropped again.
type reported struct {
	// source is markOf of its event; empty for a record that is none of these.
	source   string
	sequence uint64
	// Its rows are those from first on, n of them.
	first, n int
}

// readReport makes the rows of a record that is a valid stream report of the region's, and answers false for every other.
func (a *assembler) readReport(m kafkago.Message) (reported, bool) {
	r := &a.report
	if !r.Read(m.Value) || string(r.Region) != a.cfg.Region || bytes.HasPrefix(r.Source, []byte(contentPrefix)) {
		return reported{}, false
	}
	samples := &a.collecting().Samples
	out := reported{source: a.names.mark(r.Org, r.Source), sequence: r.Sequence, first: samples.Len(), n: len(r.Samples)}
	samples.AddReport(m.Offset, r)
	return out, true
}

// takeReport makes the rows of an event that readReport has left to the decoder, if it is a stream report after all.
func (a *assembler) takeReport(offset int64, events []*eventpb.Event) (reported, bool) {
	if len(events) != 1 || events[0].GetStreamReport() == nil || namesContent(events[0]) {
		return reported{}, false
	}
	e, rows := events[0], recordRows{batch: a.collecting(), offset: offset}
	out := reported{source: markOf(e), sequence: e.Sequence, first: rows.batch.Samples.Len()}
	rows.add(e)
	out.n = rows.batch.Samples.Len() - out.first
	return out, true
}

// dropDoubles forgets the rows of reports that the marks have shown to be doubles.
func (a *assembler) dropDoubles(doubles []reported) {
	if len(doubles) == 0 {
		return
	}
	samples := &a.collecting().Samples
	keep := make([]bool, samples.Len())
	for i := range keep {
		keep[i] = true
	}
	for _, d := range doubles {
		clear(keep[d.first : d.first+d.n])
	}
	samples.Drop(keep)
}

// names are the sources of reports as marks have them, each made once.
type names struct {
	known map[string]string
	buf   []byte
}

// mark is markOf of a report.
func (n *names) mark(org, source []byte) string {
	n.buf = append(append(append(n.buf[:0], org...), ' '), source...)
	if name, ok := n.known[string(n.buf)]; ok {
		return name
	}
	if n.known == nil || len(n.known) >= cacheSize {
		n.known = map[string]string{}
	}
	name := string(n.buf)
	n.known[name] = name
	return name
}

// isOfReports tells whether a topic has stream reports and hardly anything else.
func (f *feed) isOfReports(topic, region string) bool {
	return f.reports && topic == event.Topic(region, event.Lossy)
}
