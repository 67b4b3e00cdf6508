package ingest

import (
	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/acs"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/label"
)

// refusal is why a record, or a part of it, can't be ingested. Reason quotes nothing of it.
type refusal struct {
	// record is the index within a message of several records, -1 for all of it.
	record int
	reason string
}

// decoder makes events of a record's value. It is a pure function of the value.
type decoder func(value []byte) ([]*eventpb.Event, []refusal)

func ownDecoder(region string) decoder {
	return func(value []byte) ([]*eventpb.Event, []refusal) {
		e, err := event.Decode(value)
		if err != nil {
			return nil, []refusal{{-1, err.Error()}}
		}
		if e.Region != region {
			return nil, []refusal{{-1, "the event belongs to another region"}}
		}
		return []*eventpb.Event{e}, nil
	}
}

func acsDecoder(org, region string, pseudonyms label.Pseudonyms) decoder {
	opt := decode.Options{Org: org, Region: region, Pseudonyms: pseudonyms}
	return func(value []byte) ([]*eventpb.Event, []refusal) {
		events, bad, err := acs.DecodeMessage(value, opt)
		if err != nil {
			return nil, []refusal{{-1, err.Error()}}
		}
		var refusals []refusal
		for _, b := range bad {
			refusals = append(refusals, refusal{b.Index, b.Reason})
		}
		return events, refusals
	}
}
