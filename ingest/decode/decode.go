// Package decode owns what the decoders of other systems' records have in common: their options, their result and their
// errors. A decoder is a pure function of the bytes, the options and a key; it never looks at a clock or a network, so that
// decoding again gives the same events with the same sequence numbers.
package decode

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
)

// Options say on whose behalf records are decoded.
type Options struct {
	Org    string
	Region string
	// OrgUser asserts that the participant whose client recorded the file is an org user. Foreign records that speak of several
	// participants (Azure) ignore it.
	OrgUser    bool
	Pseudonyms label.Pseudonyms
}

// Result is all of a file, decoded: nothing is published before the whole of it was understood.
type Result struct {
	// Calls are the call ids in order of first appearance.
	Calls  []string
	Events []*eventpb.Event
}

// Error says what is wrong with a file and where. Reason is plain English and quotes nothing of the file but
// names of a closed set (methods, metric names), never values.
type Error struct {
	// Line counts from 1; 0 when the format has no lines or the whole file is meant.
	Line int
	// Field names the place within the line, if known: "records[3].properties.callStartTime".
	Field  string
	Reason string
}

func (e *Error) Error() string {
	switch {
	case e.Line > 0 && e.Field != "":
		return fmt.Sprintf("line %d, %s: %s", e.Line, e.Field, e.Reason)
	case e.Line > 0:
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	case e.Field != "":
		return fmt.Sprintf("%s: %s", e.Field, e.Reason)
	}
	return e.Reason
}

// Errorf makes an Error for a line.
func Errorf(line int, format string, args ...any) *Error {
	return &Error{Line: line, Reason: fmt.Sprintf(format, args...)}
}

// Digest names content as a source: kind, then the SHA-256 of the bytes.
func Digest(kind string, data []byte) string {
	sum := sha256.Sum256(data)
	return kind + "/sha256:" + hex.EncodeToString(sum[:])
}

// EventID makes an event's id from its source and sequence, so that decoding again gives the same id.
func EventID(source string, sequence uint64) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s#%d", source, sequence)).String()
}
