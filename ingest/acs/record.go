package acs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
)

// record is one diagnostic record while it is decoded. Its fields are normal: names in lower case, values without blanks around
// them, numbers and booleans as their text, and what says "null" left out. The first thing found wrong stays in err.
type record struct {
	opt    decode.Options
	path   string
	fields map[string]any // the envelope; of a table row all there is
	props  map[string]any // "properties", which win; nil for a table row
	source string

	call     string
	observed int64 // microseconds since the epoch, UTC
	revision uint32

	events []*eventpb.Event
	skip   Skip
	err    *decode.Error
}

// decorations are fields that readers and workspaces add to a record. They differ between two copies of one record.
var decorations = map[string]bool{
	"eventprocessedutctime": true, "partitionid": true, "eventenqueuedutctime": true,
	"_billedsize": true, "_isbillable": true, "_itemid": true, "_timereceived": true, "mg": true, "sourcesystem": true,
}

// parseRecord reads a record's JSON into its normal form and names its source.
func parseRecord(it item, opt decode.Options) (*record, *decode.Error) {
	r := &record{opt: opt, path: it.path}
	if len(it.raw) > MaxRecordBytes {
		return nil, r.problem("", "the record has more than 1 MiB")
	}
	dec := json.NewDecoder(bytes.NewReader(it.raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, r.problem("", "the JSON text is broken")
	}
	object, ok := tree.(map[string]any)
	if _, text := tree.(string); text && it.path == "[0]" {
		return nil, r.problem("", "this looks like a line of an rtcstats dump (an array that begins with a text); import it as rtcstats")
	}
	if !ok {
		return nil, r.problem("", "a record must be a JSON object")
	}
	r.fields = r.normalObject(object, "", 1)
	if r.err != nil {
		return nil, r.err
	}
	for name := range decorations {
		delete(r.fields, name)
	}
	r.props, _ = r.fields["properties"].(map[string]any)
	r.source = r.digest()
	return r, nil
}

// digest names the record by its canonical form: its normal fields, sorted. The organisation belongs to it, so that two
// organisations that are given the same record don't take it from each other. A client's records carry the time of the client,
// which makes the time of their export a decoration.
func (r *record) digest() string {
	canonical := r.fields
	if _, client := r.find("CallClientTimeStamp"); client {
		canonical = make(map[string]any, len(r.fields))
		for name, value := range r.fields {
			if name != "time" && name != "timegenerated" {
				canonical[name] = value
			}
		}
	}
	sum := sha256.Sum256(appendCanonical([]byte(r.opt.Org+"\n"), canonical))
	return "acs/sha256:" + hex.EncodeToString(sum[:])
}

func appendCanonical(to []byte, value any) []byte {
	switch v := value.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		to = append(to, '{')
		for _, name := range names {
			to = append(strconv.AppendQuote(to, name), ':')
			to = append(appendCanonical(to, v[name]), ',')
		}
		return append(to, '}')
	case []any:
		to = append(to, '[')
		for _, element := range v {
			to = append(appendCanonical(to, element), ',')
		}
		return append(to, ']')
	case string:
		return strconv.AppendQuote(to, v)
	}
	return append(to, "null"...)
}

// normalObject puts an object into its normal form. Two fields whose names differ by case only are one; where their values differ,
// nobody can tell which is meant.
func (r *record) normalObject(object map[string]any, path string, depth int) map[string]any {
	if depth > MaxDepth {
		r.fail(path, "is nested too deeply")
		return nil
	}
	normal := make(map[string]any, len(object))
	for name, value := range object {
		name = strings.ToLower(strings.TrimSpace(name))
		field := path
		if depth == 1 && (name == "properties" || name == "operationpayload") {
			field = name
		}
		v := r.normal(name, value, field, depth)
		if v == nil {
			continue
		}
		if other, twice := normal[name]; twice && !reflect.DeepEqual(other, v) {
			r.fail(path, "has the same field twice, in different case and with different values")
		}
		normal[name] = v
	}
	return normal
}

// normal gives a string, an object, an array, or nil for what is not there.
func (r *record) normal(name string, value any, path string, depth int) any {
	switch v := value.(type) {
	case string:
		v = strings.TrimSpace(v)
		if (name == "operationpayload" || name == "properties") && strings.HasPrefix(v, "{") {
			return r.embedded(v, path, depth)
		}
		if v == "" || strings.EqualFold(v, "null") {
			return nil
		}
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case map[string]any:
		return r.normalObject(v, path, depth+1)
	case []any:
		if depth >= MaxDepth {
			r.fail(path, "is nested too deeply")
			return nil
		}
		normal := make([]any, 0, len(v))
		for _, element := range v {
			normal = append(normal, r.normal("", element, path, depth+1))
		}
		return normal
	}
	return nil
}

// embedded is an object that came as the text of one.
func (r *record) embedded(text, path string, depth int) any {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil || dec.More() {
		r.fail(path, "holds text that is not a JSON object")
		return nil
	}
	return r.normalObject(object, path, depth+1)
}

// problem makes the error of a field of this record.
func (r *record) problem(field, reason string) *decode.Error {
	switch {
	case field == "":
		return &decode.Error{Field: r.path, Reason: reason}
	default:
		return &decode.Error{Field: join(r.path, field), Reason: reason}
	}
}

// fail keeps the first thing that is wrong.
func (r *record) fail(field, reason string) {
	if r.err == nil {
		r.err = r.problem(field, reason)
	}
}

// failField fails a field by its name alone; where it stands in the record is looked up.
func (r *record) failField(name, reason string) {
	if r.props != nil {
		if _, outside := r.fields[strings.ToLower(name)]; !outside || r.props[strings.ToLower(name)] != nil {
			name = "properties." + name
		}
	}
	r.fail(name, reason)
}

// find looks a field up by its name in any case, in the properties first. For a row of a table all fields stand at the top.
func (r *record) find(name string) (any, bool) {
	name = strings.ToLower(name)
	if v, ok := r.props[name]; ok {
		return v, true
	}
	v, ok := r.fields[name]
	return v, ok
}

// emit adds an event of this record.
func (r *record) emit(e *eventpb.Event) {
	e.Org, e.Region, e.CallId = r.opt.Org, r.opt.Region, r.call
	e.Source, e.Sequence = r.source, uint64(len(r.events)+1)
	e.Id = decode.EventID(e.Source, e.Sequence)
	e.ObservedAtUs, e.SourceKind, e.Revision = r.observed, eventpb.SourceKind_SOURCE_KIND_ACS, r.revision
	r.events = append(r.events, e)
}

// maxID is the longest identifier of Azure's that is taken, in bytes.
const maxID = event.MaxIDLen
