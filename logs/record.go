package logs

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// The categories of records.
const (
	CallSummary          = "CallSummary"
	CallDiagnostics      = "CallDiagnostics"
	CallClientOperations = "CallClientOperations"
	CallSurvey           = "CallSurvey"
	CallRecordingSummary = "CallRecordingSummary"
	ChatOperational      = "ChatOperational"
	// CallNotices has no counterpart in the reference: proof of notice, in a resource's log.
	CallNotices = "CallNotices"
)

// fields is a JSON object. Its encoding is sorted by name, so that equal records are equal bytes.
type fields map[string]any

// call is what records are made of: the facts, and all that happened.
type call struct {
	*store.Record
	timeline []store.TimelineEntry
	people   map[uuid.UUID]*store.ParticipantFacts
	// identify gives a participant's identifier in the log, and the type of its endpoint; "" for none.
	identify func(*store.ParticipantFacts) (identifier, endpoint string)
	at       time.Time
	seen     map[uuid.UUID]bool
	out      []store.LogRecord
}

func newCall(r *store.Record, timeline []store.TimelineEntry, at time.Time, identify func(*store.ParticipantFacts) (string, string)) *call {
	c := &call{
		Record: r, timeline: timeline, at: at.UTC().Truncate(time.Microsecond), identify: identify,
		people: make(map[uuid.UUID]*store.ParticipantFacts, len(r.Participants)), seen: map[uuid.UUID]bool{},
	}
	for i := range r.Participants {
		c.people[r.Participants[i].ID] = &r.Participants[i]
	}
	return c
}

// stamp writes an instant as the reference does, to the microsecond.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// add adds a record of the category about a participant (or none). Its id is made of what it is about.
func (c *call) add(category, operation string, participant uuid.UUID, when time.Time, key string, envelope, properties fields) error {
	id := recordID(c.Org, c.CallID, category, participant, key)
	for n := 1; c.seen[id]; n++ { // Two alike are two.
		id = recordID(c.Org, c.CallID, category, participant, fmt.Sprintf("%s\n%d", key, n))
	}
	c.seen[id] = true
	record := fields{
		"time": stamp(when), "resourceId": "/anteroom/organizations/" + c.Org, "operationName": operation, "operationVersion": "1.0", "category": category,
		"correlationId": c.CallID, "level": "Informational", "location": c.Region, "recordId": id.String(), "properties": properties,
	}
	for name, value := range envelope {
		record[name] = value
	}
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	c.out = append(c.out, store.LogRecord{CallKey: c.CallKey, Category: category, RecordID: id, Participant: participant, At: c.at, Body: string(body)})
	return nil
}

// recordID is the first half of a hash, marked as a UUID of version 8 (RFC 9562: custom).
func recordID(org, callID, category string, participant uuid.UUID, key string) uuid.UUID {
	sum := sha256.Sum256(fmt.Appendf(nil, "anteroom log 1\n%s\n%s\n%s\n%s\n%s", org, callID, category, participant, key))
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id
}

// orNil is the text, or null for what isn't known.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func timeOrNil(t *time.Time) any {
	if t == nil {
		return nil
	}
	return stamp(*t)
}

// seconds from one instant to the next, as a whole number; null unless both are known and in order.
func seconds(from, to *time.Time) any {
	if from == nil || to == nil || to.Before(*from) {
		return nil
	}
	return int64(to.Sub(*from).Round(time.Second) / time.Second)
}

// set puts a figure that is known, within bounds that the reference states.
func (f fields) set(name string, value *float64, most float64) {
	if value != nil && *value == *value { // not NaN
		f[name] = min(max(*value, 0), most)
	}
}
