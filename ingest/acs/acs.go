// Package acs decodes the diagnostic records of Azure Communication Services, as Azure Monitor exports them to Event Hubs
// (the Kafka protocol), to storage or to a Log Analytics table, into events.
//
// It owns the shapes of those records with all their looseness: field names in any case, numbers as strings, the words "null" and
// "Redacted" as values, several envelopes and several names for one category (see record.go and category.go).
// It refuses what it can't place: a record without a call, with a time outside 2000 to 2099, or with a number that is none.
//
// Once: each record is a source of its own, named by the SHA-256 of its canonical form, and its events are numbered from 1. A record
// that comes again, from a file or from a topic, whatever the case of its fields, makes the same ids and sequences.
//
// Which of two records of one thing counts: the plain record has revision 0, the record of an Updates category revision
// CallUpdatesVersion+1. So any update outranks the plain record and the highest version outranks all. The plain record is sent
// once, while updates go on for days, so a value in an update is never the staler one in the end; and as a missing value is left out
// (0, "" or absent), an early update full of nulls takes nothing away: the store resolves each column by the highest revision that
// has a value.
//
// Who: nothing in these records proves somebody to be an org user of the organisation that imports them (not participantType, not the
// tenant, not a directory id), so everybody is a guest, except for servers and bots, which are services. Options.OrgUser is ignored.
//
// Never kept: identifier, endpoint id, client instance id, user agent, addresses, URLs, DiagnosticOptions (with its tags),
// callDebuggingInfo, tenant. Participant, stream, operation, survey, recording, message and thread ids are kept as keyed hashes.
package acs

import (
	"fmt"
	"sort"
	"strings"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
)

// Limits of what is decoded.
const (
	// MaxFileBytes is the largest file; larger ones are to be split by lines or records.
	MaxFileBytes = 256 << 20
	// MaxRecords is the largest number of records in one message.
	MaxRecords = 100_000
	// MaxRecordBytes is the largest single record. Real ones have one to two kilobytes.
	MaxRecordBytes = 1 << 20
	// MaxDepth is how deep values may nest within a record. Real ones have three levels.
	MaxDepth = 32
)

// Skip says why a sound record made no event.
type Skip string

// The reasons for skipping. None of them is an error.
const (
	// SkipCategory is a category that isn't stored: metrics, authentication, captions, usage and whatever Azure adds.
	SkipCategory Skip = "category"
	// SkipNoCall is a client record from before its call existed: only the client instance ties it to one, and that isn't kept.
	SkipNoCall Skip = "no_call"
	// SkipNoThread is a chat operation without a thread.
	SkipNoThread Skip = "no_thread"
	// SkipNoParticipant is a stream whose participant is not told, or is redacted.
	SkipNoParticipant Skip = "no_participant"
	// SkipIncomplete is an early update that doesn't say yet what it is about.
	SkipIncomplete Skip = "incomplete"
	// SkipUnsupported is a medium or direction that isn't known.
	SkipUnsupported Skip = "unsupported"
	// SkipMetric is a metric of the time series that isn't stored, or one without a value.
	SkipMetric Skip = "metric"
	// SkipOperation is a client operation that isn't shown (mode, id and role changes) or has no name.
	SkipOperation Skip = "operation"
	// SkipRepeated is a record that the same file or message has already.
	SkipRepeated Skip = "repeated"
)

// File is a decoded file with what was left out.
type File struct {
	decode.Result
	// Records counts all records, those skipped included.
	Records int
	Skipped map[Skip]int
}

// Message is a decoded message of a topic with what was left out.
type Message struct {
	Events  []*eventpb.Event
	Bad     []RecordError
	Records int
	Skipped map[Skip]int
}

// RecordError says what is wrong with one record of a message, in plain English and without any value of the record.
type RecordError struct {
	// Index of the record within the message, from 0, over all its "records" arrays.
	Index int
	// Field is its place: "records[3].properties.callStartTime".
	Field  string
	Reason string
}

func (e RecordError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + ": " + e.Reason
}

// DecodeFile decodes a whole file: one message, JSON Lines of messages or of records, a JSON array, bare records, pretty-printed or
// not. Nothing comes back unless all of it could be read: the error is a *decode.Error that names line and field.
// A file without any record of use is an error as well.
func DecodeFile(data []byte, opt decode.Options) (*decode.Result, error) {
	f, err := ReadFile(data, opt)
	if err != nil {
		return nil, err
	}
	return &f.Result, nil
}

// ReadFile is DecodeFile that also tells what was left out.
func ReadFile(data []byte, opt decode.Options) (*File, error) {
	if len(data) > MaxFileBytes {
		return nil, decode.Errorf(0, "the file is larger than %d MiB; split it by lines", MaxFileBytes>>20)
	}
	d := newDecoder(opt)
	err := split(data, func(it item) error {
		if problem := d.add(it); problem != nil {
			return &decode.Error{Line: it.line(data), Field: problem.Field, Reason: problem.Reason}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if d.records == 0 {
		return nil, decode.Errorf(0, "there is no record in the file")
	}
	if len(d.events) == 0 {
		return nil, decode.Errorf(0, "none of the %d records can be used (left out: %s)", d.records, d.skips())
	}
	return &File{
		Result:  decode.Result{Calls: d.calls, Events: d.events},
		Records: d.records, Skipped: d.skipped,
	}, nil
}

// DecodeMessage decodes the value of one Kafka record of a topic that Azure writes. Good records are kept and bad ones reported
// one by one, so that these go to the dead letters while the rest flows. err is a *decode.Error and only set when nothing of the
// value can be read. A message without any record of use is no error: topics carry categories that aren't stored.
func DecodeMessage(value []byte, opt decode.Options) (events []*eventpb.Event, bad []RecordError, err error) {
	m, err := ReadMessage(value, opt)
	if err != nil {
		return nil, nil, err
	}
	return m.Events, m.Bad, nil
}

// ReadMessage is DecodeMessage that also tells what was left out.
func ReadMessage(value []byte, opt decode.Options) (*Message, error) {
	d := newDecoder(opt)
	var bad []RecordError
	err := split(value, func(it item) error {
		if problem := d.add(it); problem != nil {
			bad = append(bad, RecordError{Index: it.index, Field: problem.Field, Reason: problem.Reason})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Message{Events: d.events, Bad: bad, Records: d.records, Skipped: d.skipped}, nil
}

// decoder gathers the events of the records of one file or message.
type decoder struct {
	opt     decode.Options
	records int
	events  []*eventpb.Event
	calls   []string
	known   map[string]bool // calls
	seen    map[string]bool // sources
	skipped map[Skip]int
}

func newDecoder(opt decode.Options) *decoder {
	return &decoder{opt: opt, known: map[string]bool{}, seen: map[string]bool{}, skipped: map[Skip]int{}}
}

// add decodes one record. What it returns, if anything, says what is wrong with it; then it left no event behind.
func (d *decoder) add(it item) *decode.Error {
	d.records++
	r, err := parseRecord(it, d.opt)
	if err != nil {
		return err
	}
	kind := r.category()
	if kind == nil {
		if r.err != nil {
			return r.err
		}
		d.skipped[SkipCategory]++
		return nil
	}
	r.open(kind)
	if r.err == nil && r.skip == "" {
		kind.decode(r)
	}
	switch {
	case r.err != nil:
		return r.err
	case r.skip != "":
		d.skipped[r.skip]++
		return nil
	case d.seen[r.source]:
		d.skipped[SkipRepeated]++
		return nil
	}
	for _, e := range r.events {
		if err := event.Validate(e); err != nil {
			return &decode.Error{Field: it.path, Reason: strings.TrimPrefix(err.Error(), event.ErrInvalid.Error()+": ")}
		}
	}
	d.seen[r.source] = true
	d.events = append(d.events, r.events...)
	if kind.ofCall && len(r.events) > 0 && !d.known[r.call] {
		d.known[r.call] = true
		d.calls = append(d.calls, r.call)
	}
	return nil
}

func (d *decoder) skips() string {
	var parts []string
	for why, n := range d.skipped {
		parts = append(parts, fmt.Sprintf("%s %d", why, n))
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}
