package ingest

import (
	"context"
	"strings"
	"sync"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

// cacheSize is how many sources a generation of a cache holds before the next batch starts a new one; two are kept.
const cacheSize = 50_000

// marks tells new events from doubled ones for one partition. It is ahead of the store by the batches that are being written, which
// is safe since a partition writes its batches in order or not at all.
type marks struct {
	store     *store.Store
	topic     string
	partition int32
	content   *contentMarks
	young     map[string]uint64
	old       map[string]uint64
}

func newMarks(s *store.Store, topic string, partition int32, content *contentMarks) *marks {
	return &marks{store: s, topic: topic, partition: partition, content: content, young: map[string]uint64{}}
}

// namesContent tells sources that are the digest of one record: a second copy may come by another partition or topic.
func namesContent(e *eventpb.Event) bool { return strings.HasPrefix(e.Source, contentPrefix) }

const contentPrefix = "acs/"

// markOf names an event's source for its mark. The organisation is part of it: two organisations may import the same file.
func markOf(e *eventpb.Event) string { return e.Org + " " + e.Source }

// load fetches the marks of the sources that are not known yet; for a batch that is replayed as they were before it.
func (m *marks) load(ctx context.Context, records []decoded, replayed int64) error {
	// Only between batches: all sources of the batch that is built and of the one that is written stay known.
	if len(m.young) >= cacheSize {
		m.old, m.young = m.young, make(map[string]uint64, cacheSize)
	}
	var own, content []string
	asked := map[string]bool{}
	ask := func(source string, to *[]string) {
		if asked[source] {
			return
		}
		asked[source] = true
		if _, known := m.get(source); !known {
			*to = append(*to, source)
		}
	}
	for i := range records {
		if report := &records[i].report; report.source != "" {
			ask(report.source, &own)
		}
		for _, e := range records[i].events {
			if namesContent(e) {
				ask(markOf(e), &content)
			} else {
				ask(markOf(e), &own)
			}
		}
	}
	for _, which := range []struct {
		sources  []string
		anywhere bool
	}{{own, false}, {content, true}} {
		if len(which.sources) == 0 {
			continue
		}
		found, err := m.store.Marks(ctx, m.topic, m.partition, replayed, which.sources, which.anywhere)
		if err != nil {
			return err
		}
		for _, source := range which.sources {
			m.set(source, found[source]) // zero for a source that is new: known to be unknown
		}
	}
	return nil
}

func (m *marks) get(source string) (uint64, bool) {
	if mark, ok := m.young[source]; ok {
		return mark, true
	}
	mark, ok := m.old[source]
	if ok {
		m.young[source] = mark
	}
	return mark, ok
}

func (m *marks) set(source string, mark uint64) { m.young[source] = mark }

// take tells whether an event at an offset is new, and if so raises its source's mark.
func (m *marks) take(e *eventpb.Event, offset int64) bool {
	source := markOf(e)
	mark, _ := m.get(source)
	if e.Sequence <= mark {
		return false
	}
	if namesContent(e) && !m.content.take(content{source, e.Sequence}, origin{m.topic, m.partition, offset}) {
		return false
	}
	m.set(source, e.Sequence)
	return true
}

// takeReport is take for a report, and notes what it raised.
func (m *marks) takeReport(r reported, raised *batchMarks) bool {
	mark, _ := m.get(r.source)
	if r.sequence <= mark {
		return false
	}
	m.set(r.source, r.sequence)
	raised.raise(r.source, mark, r.sequence)
	return true
}

// batchMarks collects what a batch raised.
type batchMarks struct {
	index map[string]int
	marks []store.Mark
}

func (b *batchMarks) raise(source string, before, now uint64) {
	if b.index == nil {
		b.index = map[string]int{}
	}
	if i, ok := b.index[source]; ok {
		b.marks[i].Sequence = now
		return
	}
	b.index[source] = len(b.marks)
	b.marks = append(b.marks, store.Mark{Source: source, Previous: before, Sequence: now})
}

// content is one event of a record that its source names by digest: in a file's import each event is a record of its own.
type content struct {
	source   string
	sequence uint64
}

type origin struct {
	topic     string
	partition int32
	offset    int64
}

// contentMarks remembers which record first brought a content while its mark may not be stored yet, so that its copy in another
// partition that is being ingested at the same time is told. Only that record may bring it, also when it is fetched again.
type contentMarks struct {
	mu    sync.Mutex
	young map[content]origin // guarded by mu
	old   map[content]origin // guarded by mu
}

func newContentMarks() *contentMarks { return &contentMarks{young: map[content]origin{}} }

func (c *contentMarks) take(what content, from origin) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first, ok := c.young[what]
	if !ok {
		first, ok = c.old[what]
	}
	if ok {
		return first == from
	}
	if len(c.young) >= cacheSize {
		c.old, c.young = c.young, map[content]origin{}
	}
	c.young[what] = from
	return true
}
