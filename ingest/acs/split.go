package acs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/anteroom/anteroom/ingest/decode"
)

// item is one record as it stands in its message.
type item struct {
	raw    []byte // only until the callback returns
	offset int    // where it starts in the whole
	index  int    // within its message, from 0
	path   string // "records[3]", "[0].records[3]", or "" for a bare record
}

// line is where the record starts, counted from 1.
func (it item) line(data []byte) int { return lineAt(data, it.offset) }

func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(offset, len(data))], []byte{'\n'})
}

// split hands each record of a stream of JSON values to found. A value is a message ({"records":[…]}), an array of messages and of
// records, or a bare record; JSON Lines are a stream of values. Whatever a message carries beside its records is the decoration of
// a reader, and dropped. The error is what found returned, or a *decode.Error with the line where the JSON breaks.
func split(data []byte, found func(item) error) error {
	body := bytes.TrimPrefix(data, []byte{0xEF, 0xBB, 0xBF})
	if len(bytes.TrimSpace(body)) == 0 {
		return decode.Errorf(0, "the content is empty")
	}
	if body[0] == 0xFF || body[0] == 0xFE || bytes.IndexByte(body[:min(len(body), 512)], 0) >= 0 {
		return decode.Errorf(1, "this is not JSON text in UTF-8")
	}
	base := len(data) - len(body)
	dec := json.NewDecoder(bytes.NewReader(body))
	var raw json.RawMessage
	for {
		start := int(dec.InputOffset())
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return syntaxError(data, base+start)
		}
		s := splitter{found: found, data: data}
		if err := s.value(raw, base+int(dec.InputOffset())-len(raw)); err != nil {
			return err
		}
	}
}

// syntaxError finds the line on which the value that starts at start breaks. Where the first character of a line is what doesn't
// fit, the line before is the one that was cut off.
func syntaxError(data []byte, start int) *decode.Error {
	var value json.RawMessage
	err := json.Unmarshal(data[start:], &value)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return decode.Errorf(lineAt(data, start), "the JSON text is broken here")
	}
	at := min(start+int(syntax.Offset), len(data))
	if strings.Contains(syntax.Error(), "unexpected end") {
		return decode.Errorf(lineAt(data, len(bytes.TrimSpace(data))), "the JSON text ends in the middle of a value; was it cut off?")
	}
	before := data[:max(at-1, start)]
	trimmed := bytes.TrimRight(before, " \t\r\n")
	if len(trimmed) > start {
		before = trimmed
	}
	return decode.Errorf(lineAt(data, len(before)), "the JSON text is broken or nested too deeply here")
}

// splitter walks one value of the stream. Its JSON is known to be well-formed.
type splitter struct {
	data    []byte
	records int
	found   func(item) error
}

func (s *splitter) value(raw []byte, offset int) error {
	if len(raw) == 0 || raw[0] != '[' {
		return s.object(raw, offset, "")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	return s.elements(dec, func(element []byte, at, i int) error {
		return s.object(element, offset+at, fmt.Sprintf("[%d]", i))
	})
}

// elements reads an array; dec stands before it. at is relative to what dec reads.
func (s *splitter) elements(dec *json.Decoder, each func(element []byte, at, i int) error) error {
	if _, err := dec.Token(); err != nil {
		return decode.Errorf(0, "the JSON text is broken")
	}
	var element json.RawMessage
	for i := 0; dec.More(); i++ {
		if err := dec.Decode(&element); err != nil {
			return decode.Errorf(0, "the JSON text is broken")
		}
		if err := each(element, int(dec.InputOffset())-len(element), i); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return decode.Errorf(0, "the JSON text is broken")
	}
	return nil
}

// object takes a message apart, or hands on a bare record. What is no object goes on as a record too, to be refused as one.
func (s *splitter) object(raw []byte, offset int, path string) error {
	if len(raw) == 0 || raw[0] != '{' {
		return s.record(raw, offset, path)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return decode.Errorf(lineAt(s.data, offset), "the JSON text is broken")
	}
	message := false
	var member json.RawMessage
	for dec.More() {
		key, err := dec.Token()
		if err == nil {
			err = dec.Decode(&member)
		}
		if err != nil {
			return decode.Errorf(lineAt(s.data, offset), "the JSON text is broken")
		}
		if name, _ := key.(string); !strings.EqualFold(name, "records") {
			continue
		}
		message = true
		start := offset + int(dec.InputOffset()) - len(member)
		if err := s.recordsOf(member, start, join(path, "records")); err != nil {
			return err
		}
	}
	if message {
		return nil
	}
	return s.record(raw, offset, path)
}

func (s *splitter) recordsOf(raw []byte, offset int, path string) error {
	if len(raw) == 0 || raw[0] != '[' {
		return &decode.Error{Line: lineAt(s.data, offset), Field: path, Reason: "must be an array of records"}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	return s.elements(dec, func(element []byte, at, i int) error {
		return s.record(element, offset+at, fmt.Sprintf("%s[%d]", path, i))
	})
}

func (s *splitter) record(raw []byte, offset int, path string) error {
	if s.records >= MaxRecords {
		return decode.Errorf(lineAt(s.data, offset), "there are more than %d records in one message", MaxRecords)
	}
	index := s.records
	s.records++
	return s.found(item{raw: raw, offset: offset, index: index, path: path})
}

// join appends a field's name to the path of what holds it.
func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}
