package graph

import (
	"errors"
	"regexp"
	"strings"
	"time"
)

// Filter is what a $filter of call records asks for. What is zero does not filter.
type Filter struct {
	// From is not before, To is before.
	From, To time.Time
	// Participant by the id of participants_v2.
	Participant string
}

var (
	comparison = regexp.MustCompile(`^startDateTime\s+(lt|le|gt|ge)\s+(\S+)$`)
	somebody   = regexp.MustCompile(`^participants_v2/any\(\s*([a-zA-Z_]\w*)\s*:\s*([a-zA-Z_]\w*)/id\s+eq\s+'((?:[^']|'')*)'\s*\)$`)
	conjoined  = regexp.MustCompile(`\s+and\s+`)
)

// What a $filter may not be. The text is for whoever wrote it.
var errFilter = errors.New("may compare startDateTime (lt, le, gt, ge) with a time such as 2026-03-04T12:00:00Z, and ask for " +
	"participants_v2/any(p:p/id eq 'an id'), joined by and")

// maxParticipantID bounds the id of a participant.
const maxParticipantID = 256

// ParseFilter reads a $filter. The smallest step of time is a microsecond, as in the store.
func ParseFilter(text string) (Filter, error) {
	var f Filter
	for _, part := range conjuncts(text) {
		if m := comparison.FindStringSubmatch(part); m != nil {
			at, err := time.Parse(time.RFC3339Nano, m[2])
			if err != nil {
				return Filter{}, errFilter
			}
			f.bound(m[1], at.UTC())
			continue
		}
		m := somebody.FindStringSubmatch(part)
		if len(m) == 0 || m[1] != m[2] || f.Participant != "" {
			return Filter{}, errFilter
		}
		if f.Participant = strings.ReplaceAll(m[3], "''", "'"); f.Participant == "" || len(f.Participant) > maxParticipantID {
			return Filter{}, errors.New("has an id of a participant that has no or more than 256 bytes")
		}
	}
	return f, nil
}

// bound narrows the window.
func (f *Filter) bound(operator string, at time.Time) {
	micro := at.Truncate(time.Microsecond)
	above := micro.Add(time.Microsecond)
	if at.After(micro) && operator != "gt" && operator != "le" {
		micro = above // Between two instants of the store: not before it is at the next.
	}
	switch operator {
	case "gt":
		f.after(above)
	case "ge":
		f.after(micro)
	case "lt":
		f.before(micro)
	case "le":
		f.before(above)
	}
}

func (f *Filter) after(at time.Time) {
	if at.After(f.From) {
		f.From = at
	}
}

func (f *Filter) before(at time.Time) {
	if f.To.IsZero() || at.Before(f.To) {
		f.To = at
	}
}

// conjuncts splits at "and" outside of texts in quotes.
func conjuncts(text string) []string {
	text = strings.TrimSpace(text)
	var out []string
	begin := 0
	for _, at := range conjoined.FindAllStringIndex(text, -1) {
		if strings.Count(text[begin:at[0]], "'")%2 != 0 {
			continue
		}
		out = append(out, strings.TrimSpace(text[begin:at[0]]))
		begin = at[1]
	}
	return append(out, strings.TrimSpace(text[begin:]))
}

// Expand is what an $expand asks for.
type Expand struct {
	Sessions, Segments, Participants bool
}

// ParseExpand reads an $expand of a call record: sessions, sessions($expand=segments), participants_v2, separated by commas.
func ParseExpand(text string) (Expand, error) {
	var out Expand
	for part := range strings.SplitSeq(text, ",") {
		switch strings.Join(strings.Fields(part), "") {
		case "sessions":
			out.Sessions = true
		case "sessions($expand=segments)":
			out.Sessions, out.Segments = true, true
		case "participants_v2":
			out.Participants = true
		default:
			return Expand{}, errors.New("may be sessions, sessions($expand=segments) or participants_v2, separated by commas")
		}
	}
	return out, nil
}
