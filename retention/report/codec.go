package report

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/proof"
)

// The kinds of records that are sorted, in the order in which those of one id come.
const (
	storedRecord      = byte('a') // a thing of the report, as a stored batch has it
	otherStoredRecord = byte('b') // a thing of a stored batch that the report doesn't ask for
	keptRecord        = byte('c') // a thing that is kept
	goneRecord        = byte('d') // a thing of the report that is gone, as a deletion batch has it
	otherGoneRecord   = byte('e') // a thing of a deletion batch that the report doesn't ask for
)

const hashLen = len(proof.Hash{})

// errRecord: a record that was written here can't be read again.
var errRecord = errors.New("sorted record is damaged")

// header begins each record: the thing's id, the kind, the batch.
func header(id string, kind byte, batch uuid.UUID) ([]byte, error) {
	out := make([]byte, hashLen, hashLen+1+len(batch))
	if n, err := hex.Decode(out, []byte(id)); err != nil || n != hashLen || len(id) != 2*hashLen {
		return nil, fmt.Errorf("id of a thing has not %d hexadecimal digits", 2*hashLen)
	}
	return append(append(out, kind), batch[:]...), nil
}

// record is one that was sorted.
type record struct {
	id    string
	kind  byte
	batch uuid.UUID
	rest  []byte
}

func readRecord(b []byte) (record, error) {
	const length = hashLen + 1 + len(uuid.UUID{})
	if len(b) < length {
		return record{}, errRecord
	}
	return record{
		id: hex.EncodeToString(b[:hashLen]), kind: b[hashLen], batch: uuid.UUID(b[hashLen+1 : length]), rest: b[length:],
	}, nil
}

// encoder writes values one after the other.
type encoder struct{ b []byte }

func (e *encoder) text(s string) {
	e.b = append(binary.AppendUvarint(e.b, uint64(len(s))), s...)
}
func (e *encoder) int(n int64)   { e.b = binary.AppendVarint(e.b, n) }
func (e *encoder) uint(n uint64) { e.b = binary.AppendUvarint(e.b, n) }
func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}
func (e *encoder) time(t proof.Time) { e.int(time.Time(t).UnixMicro()) }
func (e *encoder) maybeTime(t *proof.Time) {
	e.bool(t != nil)
	if t != nil {
		e.time(*t)
	}
}

func (e *encoder) maybeInt(n *int64) {
	e.bool(n != nil)
	if n != nil {
		e.int(*n)
	}
}

// decoder reads them back; err is the first that went wrong.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() { d.b, d.err = nil, errRecord }

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) text() string {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) bool() bool {
	if len(d.b) == 0 {
		d.fail()
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

func (d *decoder) time() proof.Time { return proof.Time(time.UnixMicro(d.int()).UTC()) }

func (d *decoder) maybeTime() *proof.Time {
	if !d.bool() {
		return nil
	}
	t := d.time()
	return &t
}

func (d *decoder) maybeInt() *int64 {
	if !d.bool() {
		return nil
	}
	n := d.int()
	return &n
}

// encodeRow writes a row without its schema and id.
func encodeRow(r *proof.Row) []byte {
	e := encoder{make([]byte, 0, 256)}
	e.text(r.Nonce)
	e.text(r.Organization)
	e.text(r.Meeting)
	e.text(r.Region)
	e.text(string(r.Class))
	e.text(string(r.State))
	e.bool(r.Held)
	e.time(r.SentAt)
	e.maybeTime(r.DueAt)
	e.maybeTime(r.Hidden)
	e.maybeTime(r.Purged)
	e.text(r.Rule.ID)
	e.uint(r.Rule.Version)
	e.text(r.Rule.Reason)
	e.text(r.Rule.Revision)
	e.text(string(r.Why))
	e.maybeInt(r.Lateness)
	e.int(int64(r.Attempts))
	e.maybeTime(r.BrokerExpiry)
	return e.b
}

func decodeRow(id string, b []byte) (proof.Row, error) {
	d := decoder{b: b}
	r := proof.Row{Schema: proof.Schema, ID: id}
	r.Nonce, r.Organization, r.Meeting, r.Region = d.text(), d.text(), d.text(), d.text()
	r.Class, r.State, r.Held = proof.Class(d.text()), proof.State(d.text()), d.bool()
	r.SentAt, r.DueAt, r.Hidden, r.Purged = d.time(), d.maybeTime(), d.maybeTime(), d.maybeTime()
	r.Rule = proof.AppliedAs{ID: d.text(), Version: d.uint(), Reason: d.text(), Revision: d.text()}
	r.Why, r.Lateness = proof.GoneReason(d.text()), d.maybeInt()
	attempts := d.int()
	if attempts < 0 || attempts > math.MaxInt32 {
		d.fail()
	}
	r.Attempts, r.BrokerExpiry = int(attempts), d.maybeTime()
	return r, d.err
}

// encodeThing writes a stored thing without its schema and id.
func encodeThing(s *proof.StoredThing) []byte {
	e := encoder{make([]byte, 0, 64)}
	e.text(s.Organization)
	e.text(s.Region)
	e.text(string(s.Class))
	e.time(s.SentAt)
	return e.b
}

func decodeThing(id string, b []byte) (proof.StoredThing, error) {
	d := decoder{b: b}
	s := proof.StoredThing{Schema: proof.Schema, ID: id}
	s.Organization, s.Region, s.Class, s.SentAt = d.text(), d.text(), proof.Class(d.text()), d.time()
	return s, d.err
}
