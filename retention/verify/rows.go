package verify

import (
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/retention/proof"
)

// rowsPass is one pass over the rows, and over what else the batches have, in order of id.
type rowsPass struct {
	c       *checker
	rows    *cursor[proof.Line]
	stored  *cursor[proof.OtherStored]
	deleted *cursor[proof.OtherDeleted]
	csv     *csvCheck
	counts  proof.Counts
	rules   map[proof.AppliedAs]bool
	proofs  uint64
	unknown map[batchKey]bool
	whole   bool
}

// rows checks the rows: form, order, deletions, completeness, counts, CSV.
func (c *checker) rows() error {
	p := &rowsPass{c: c, rules: map[proof.AppliedAs]bool{}, unknown: map[batchKey]bool{}, whole: c.manifest.Proofs == proof.WholeProofs}
	defer p.close()
	for _, open := range []func() error{p.openRows, p.openOthers, p.openCSV} {
		if err := open(); err != nil {
			return err
		}
	}
	for {
		id := least(p.rows.id(), p.stored.id(), p.deleted.id())
		if id == "" {
			break
		}
		if err := p.thing(id); err != nil {
			return err
		}
	}
	if err := errors.Join(p.rows.err(), p.stored.err(), p.deleted.err()); err != nil {
		return err
	}
	return p.end()
}

// least is the smallest id that isn't "", which stands for the end.
func least(ids ...string) string {
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == "" })
	if len(ids) == 0 {
		return ""
	}
	return slices.Min(ids)
}

func (p *rowsPass) openRows() (err error) {
	p.rows, err = openCursor(p.c, proof.RowsFile, proof.ParseLine, func(l *proof.Line) (string, string) { return l.Row.ID, "" })
	return err
}

func (p *rowsPass) openOthers() (err error) {
	p.stored, err = openCursor(p.c, proof.OtherStoredFile, proof.ParseOtherStored, func(o *proof.OtherStored) (string, string) { return o.ID, o.Batch })
	if err == nil {
		p.deleted, err = openCursor(p.c, proof.OtherDeletedFile, proof.ParseOtherDeleted, func(o *proof.OtherDeleted) (string, string) { return o.ID, o.Batch })
	}
	return err
}

func (p *rowsPass) close() {
	p.rows.close()
	p.stored.close()
	p.deleted.close()
	p.csv.close()
}

// thing takes all that the bundle has of one id.
func (p *rowsPass) thing(id string) error {
	var row *proof.Line
	if p.rows.id() == id {
		line := p.rows.line
		row = &line
		if err := p.row(row); err != nil {
			return err
		}
		p.rows.next()
	}
	for p.stored.id() == id {
		if err := p.otherStored(&p.stored.line, row); err != nil {
			return err
		}
		p.stored.next()
	}
	for p.deleted.id() == id {
		if err := p.otherDeleted(&p.deleted.line, row); err != nil {
			return err
		}
		p.deleted.next()
	}
	return nil
}

// row takes a line of rows.jsonl.
func (p *rowsPass) row(l *proof.Line) error {
	c := p.c
	for _, what := range p.doubtful(l) {
		c.wrong(Lines, proof.RowsFile, p.rows.lines.at, "%s", what)
	}
	c.out.Rows++
	if l.Row.Rule != (proof.AppliedAs{}) {
		p.rules[l.Row.Rule] = true
	}
	if err := p.counts.Add(l, time.Duration(c.manifest.PurgeWindowMs)*time.Millisecond); err != nil {
		c.wrong(Lines, proof.RowsFile, p.rows.lines.at, "%v", err)
	}
	if err := p.csv.row(l); err != nil {
		return err
	}
	if l.Deleted != nil {
		c.out.Deleted++
	}
	if !p.whole {
		if l.Deleted == nil {
			return nil
		}
		return p.single(l)
	}
	if l.Stored != nil {
		thing := l.Thing()
		hash, err := thing.Hash()
		if err != nil {
			return err //nolint:wrapcheck // it says what it did
		}
		if err := p.add(batchKey{proof.LeafStored, *l.Stored}, hash, &l.Row.SentAt, proof.RowsFile, p.rows.lines.at); err != nil {
			return err
		}
	}
	if l.Deleted == nil {
		return nil
	}
	hash, err := l.Row.Hash()
	if err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	key := batchKey{proof.LeafDeleted, *l.Deleted}
	if b := c.batches[key]; b != nil && l.Index != nil && b.index != *l.Index {
		c.wrong(Deletion, proof.RowsFile, p.rows.lines.at, "log_index is %d, but the batch's leaf is at %d", *l.Index, b.index)
	}
	return p.add(key, hash, &l.Row.SentAt, proof.RowsFile, p.rows.lines.at)
}

// doubtful tells what a row says that can't be.
func (p *rowsPass) doubtful(l *proof.Line) (wrong []string) {
	must := func(holds bool, what string) {
		if !holds {
			wrong = append(wrong, what)
		}
	}
	r, q := &l.Row, p.c.manifest.Query
	must(r.Schema == proof.Schema, "the schema isn't known to this program")
	must(isHex(r.ID, 32), "copy_id isn't 64 hexadecimal digits")
	must(r.Region == p.c.manifest.Region, "it is of another region than the report")
	must(q.Organization == "" || r.Organization == q.Organization, "it is of another organisation than was asked for")
	must(slices.Contains(proof.Classes(), r.Class), "the class is none there is")
	must(len(q.Classes) == 0 || slices.Contains(q.Classes, r.Class), "the class wasn't asked for")
	must(within(r.SentAt, q), "it was sent outside of what was asked for")
	must(q.Meeting == "" || r.Meeting == q.Meeting, "it is of another meeting than was asked for")
	gone := r.Purged != nil
	proven := l.Deleted != nil && l.Index != nil
	must(gone == proven && (proven || (l.Deleted == nil && l.Index == nil)), "purged_at, deleted_batch and log_index don't go together")
	must(r.State != proof.Purged || gone, "it is called purged without proof")
	must(!gone || r.State == proof.Purged || r.State == proof.BornExpired, "it is gone, and its state doesn't say so")
	must((gone && isHex(r.Nonce, 16)) || (!gone && r.Nonce == ""), "the nonce isn't what it has to be")
	must(isUUID(l.Stored) && isUUID(l.Deleted), "a batch isn't named by a UUID")
	return wrong
}

func within(sent proof.Time, q proof.Query) bool {
	at := time.Time(sent)
	return !at.Before(time.Time(q.From)) && at.Before(time.Time(q.To))
}

func isHex(text string, size int) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == size && strings.ToLower(text) == text
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func isUUID(text *string) bool { return text == nil || uuidForm.MatchString(*text) }

// add adds a thing to the tree of its batch. sent is nil where it isn't shown.
func (p *rowsPass) add(key batchKey, hash proof.Hash, sent *proof.Time, file string, line int64) error {
	b := p.c.batches[key]
	kind := Deletion
	if key.kind == proof.LeafStored {
		kind = Completeness
	}
	if b == nil {
		if !p.unknown[key] {
			p.unknown[key] = true
			p.c.wrong(kind, file, line, "the %s batch %s has no leaf in %s", key.kind, key.id, proof.LogFile)
		}
		return nil
	}
	if b.tree == nil {
		b.tree = proof.NewAccumulator()
		if b.leaf.Organization != "" && p.c.tag != "" && b.leaf.Organization != p.c.tag {
			p.c.wrong(kind, file, line, "the %s batch %s is another organisation's, or the manifest's organization_salt is wrong", key.kind, key.id)
		}
	}
	if file == proof.RowsFile {
		if b.to = line; b.from == 0 {
			b.from = line
		}
	}
	early := sent != nil && b.leaf.FirstSent != nil && time.Time(*sent).Before(time.Time(*b.leaf.FirstSent))
	late := sent != nil && b.leaf.LastSent != nil && time.Time(*sent).After(time.Time(*b.leaf.LastSent))
	if early || late {
		p.c.wrong(kind, file, line, "it was sent outside of what the leaf of the %s batch %s says", key.kind, key.id)
	}
	return b.tree.Add(hash) //nolint:wrapcheck // it says what it did
}

// otherStored takes a line of other-stored.jsonl. row is the report's of the same id, if it has one.
func (p *rowsPass) otherStored(o *proof.OtherStored, row *proof.Line) error {
	c, q, at := p.c, p.c.manifest.Query, p.stored.lines.at
	key := batchKey{proof.LeafStored, o.Batch}
	if (o.Thing == nil) == (o.Hash == nil) || !isUUID(&o.Batch) || !isHex(o.ID, 32) {
		c.wrong(Lines, proof.OtherStoredFile, at, "it has not one of thing and hash, or a name that is none")
		return nil
	}
	if row != nil && row.Stored != nil && *row.Stored == o.Batch {
		c.wrong(Lines, proof.OtherStoredFile, at, "the batch has this thing in %s already", proof.RowsFile)
		return nil
	}
	if o.Hash != nil {
		b := c.batches[key]
		if q.Organization == "" || (b != nil && b.leaf.Organization == c.tag) {
			c.wrong(Completeness, proof.OtherStoredFile, at, "a thing is hidden that can't be another organisation's")
		}
		c.out.Hidden++
		return p.add(key, *o.Hash, nil, proof.OtherStoredFile, at)
	}
	t := o.Thing
	if t.ID != o.ID || t.Schema != proof.Schema || t.Region != c.manifest.Region || (q.Organization != "" && t.Organization != q.Organization) {
		c.wrong(Lines, proof.OtherStoredFile, at, "the thing isn't one of the report's organisation and region by that id")
	}
	hash, err := t.Hash()
	if err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	if row != nil {
		same := row.Thing()
		if rowHash, err := same.Hash(); err != nil || rowHash != hash {
			c.wrong(Completeness, proof.OtherStoredFile, at, "the thing %s isn't what its row says", o.ID)
		}
	} else if within(t.SentAt, q) && (len(q.Classes) == 0 || slices.Contains(q.Classes, t.Class)) {
		c.wrong(Completeness, proof.OtherStoredFile, at, "the thing %s has no row, though it was stored and is what was asked for", o.ID)
	}
	return p.add(key, hash, &t.SentAt, proof.OtherStoredFile, at)
}

// otherDeleted takes a line of other-deleted.jsonl.
func (p *rowsPass) otherDeleted(o *proof.OtherDeleted, row *proof.Line) error {
	c, at := p.c, p.deleted.lines.at
	if !isUUID(&o.Batch) || !isHex(o.ID, 32) {
		c.wrong(Lines, proof.OtherDeletedFile, at, "a name is none")
		return nil
	}
	if row != nil {
		switch {
		case row.Deleted == nil:
			c.wrong(Deletion, proof.OtherDeletedFile, at, "the thing %s is gone by this batch, but its row doesn't say so", o.ID)
		case *row.Deleted == o.Batch:
			c.wrong(Lines, proof.OtherDeletedFile, at, "the batch has this thing in %s already", proof.RowsFile)
			return nil
		}
	}
	return p.add(batchKey{proof.LeafDeleted, o.Batch}, o.Hash, nil, proof.OtherDeletedFile, at)
}

// end compares what was gathered with what the manifest says.
func (p *rowsPass) end() error {
	c := p.c
	if p.whole {
		if err := c.ends(); err != nil {
			return err
		}
		incomplete := slices.ContainsFunc(c.out.Findings, func(f Finding) bool { return f.Kind == Completeness }) || c.out.More > 0
		c.out.Complete, c.out.CoveredFrom = c.logOK && !incomplete, c.manifest.Log.First
	} else {
		p.spareProofs()
	}
	if p.counts != c.manifest.Counts {
		c.wrong(Counts, proof.ManifestFile, 0, "counts are %+v, those of the rows %+v", c.manifest.Counts, p.counts)
	}
	rules := make([]proof.AppliedAs, 0, len(p.rules))
	for rule := range p.rules {
		rules = append(rules, rule)
	}
	slices.SortFunc(rules, compareRules)
	if !slices.Equal(rules, c.manifest.Rules) {
		c.wrong(Counts, proof.ManifestFile, 0, "rules aren't those of the rows")
	}
	return p.csv.end()
}

// cursor reads the lines of a file in order of their keys.
type cursor[T any] struct {
	c     *checker
	lines *lines
	parse func([]byte) (T, error)
	key   func(*T) (id, batch string)
	line  T
	// last are the key of the line before; there tells that line is one; failed what couldn't be looked at.
	last, lastBatch string
	there           bool
	failed          error
}

func openCursor[T any](c *checker, name string, parse func([]byte) (T, error), key func(*T) (string, string)) (*cursor[T], error) {
	from, err := c.lines(name)
	if err != nil {
		return nil, c.unreadable(name, err)
	}
	out := &cursor[T]{c: c, lines: from, parse: parse, key: key}
	out.next()
	return out, nil
}

// close closes the file, if there is one.
func (f *cursor[T]) close() {
	if f != nil {
		f.lines.close()
	}
}

// id is the line's id, "" at the end.
func (f *cursor[T]) id() string {
	if f == nil || !f.there {
		return ""
	}
	id, _ := f.key(&f.line)
	return id
}

func (f *cursor[T]) err() error {
	if f == nil {
		return nil
	}
	return f.failed
}

// next goes to the next line that can be read. A line that can't is a finding, and so is one out of order: both are left out, since what follows is
// told by ids in order.
func (f *cursor[T]) next() {
	name := f.lines.name
	for f.there = false; ; {
		text, err := f.lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.Is(err, errLong), errors.Is(err, errOpen):
			f.c.wrong(Lines, name, f.lines.at, "%v", err)
			return
		case err != nil:
			f.failed = f.c.unreadable(name, err)
			return
		case f.c.ctx.Err() != nil:
			f.failed = f.c.ctx.Err()
			return
		}
		line, err := f.parse(text)
		if err != nil {
			f.c.wrong(Lines, name, f.lines.at, "%v", err)
			continue
		}
		id, batch := f.key(&line)
		if id < f.last || (id == f.last && batch <= f.lastBatch) || id == "" {
			f.c.wrong(Lines, name, f.lines.at, "it isn't in order after the line before, or is there twice")
			continue
		}
		f.line, f.last, f.lastBatch, f.there = line, id, batch, true
		return
	}
}
