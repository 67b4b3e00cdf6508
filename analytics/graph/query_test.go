package graph

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseFilter(t *testing.T) {
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	us := func(n int) time.Time { return at.Add(time.Duration(n) * time.Microsecond) }
	for text, want := range map[string]Filter{
		"startDateTime ge 2026-03-04T12:00:00Z":                                              {From: at},
		"startDateTime gt 2026-03-04T12:00:00Z":                                              {From: us(1)},
		"startDateTime lt 2026-03-04T12:00:00Z":                                              {To: at},
		"startDateTime le 2026-03-04T12:00:00Z":                                              {To: us(1)},
		"startDateTime ge 2026-03-04T14:00:00.000001+02:00":                                  {From: us(1)},
		"startDateTime ge 2026-03-04T12:00:00.0000005Z":                                      {From: us(1)},
		"startDateTime gt 2026-03-04T12:00:00.0000005Z":                                      {From: us(1)},
		"startDateTime lt 2026-03-04T12:00:00.0000005Z":                                      {To: us(1)},
		"startDateTime le 2026-03-04T12:00:00.0000005Z":                                      {To: us(1)},
		" startDateTime ge 2026-03-04T12:00:00Z  and startDateTime lt 2026-03-04T12:00:01Z ": {From: at, To: at.Add(time.Second)},
		"startDateTime ge 2026-03-04T12:00:00Z and startDateTime ge 2026-03-04T11:00:00Z":    {From: at},
		"participants_v2/any(p:p/id eq 'u1')":                                                {Participant: "u1"},
		"participants_v2/any( x : x/id eq 'O''Hara and Sons')":                               {Participant: "O'Hara and Sons"},
		"startDateTime lt 2026-03-04T12:00:00Z and participants_v2/any(p:p/id eq 'u1')":      {To: at, Participant: "u1"},
	} {
		got, err := ParseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{
		"", "x", "startDateTime eq 2026-03-04T12:00:00Z", "startDateTime ge yesterday", "startDateTime ge 2026-03-04T12:00:00", "endDateTime ge 2026-03-04T12:00:00Z",
		"startDateTime ge 2026-03-04T12:00:00Z or startDateTime lt 2026-03-04T12:00:00Z", "startDateTime ge 2026-03-04T12:00:00Z and",
		"participants_v2/any(p:q/id eq 'u1')", "participants_v2/any(p:p/id eq u1)", "participants_v2/any(p:p/id eq '')", "participants_v2/any(p:p/id eq 'a'b')",
		"participants_v2/any(p:p/id eq 'a') and participants_v2/any(p:p/id eq 'b')", "participants_v2/any(p:p/id eq '" + strings.Repeat("x", 257) + "')",
		"participants_v2/any(p:p/name eq 'a')", "' and '", "startDateTime ge 2026-03-04T12:00:00Z; drop table calls",
	} {
		if got, err := ParseFilter(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

func TestParseExpand(t *testing.T) {
	for text, want := range map[string]Expand{
		"sessions":                   {Sessions: true},
		"sessions($expand=segments)": {Sessions: true, Segments: true},
		"participants_v2":            {Participants: true},
		"sessions( $expand = segments ), participants_v2": {Sessions: true, Segments: true, Participants: true},
	} {
		if got, err := ParseExpand(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "segments", "sessions($expand=media)", "sessions,", "sessions($expand=segments", "organizer_v2"} {
		if got, err := ParseExpand(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}
