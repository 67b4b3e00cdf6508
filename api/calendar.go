package api

import (
	"context"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/directory"
)

// GetMeetingCalendar writes a meeting as a calendar entry.
func (h *handlers) GetMeetingCalendar(ctx context.Context, request openapi.GetMeetingCalendarRequestObject) (openapi.GetMeetingCalendarResponseObject, error) {
	found, err := h.ownMeeting(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	link, err := h.joinURL(who, found.Value)
	if err != nil {
		return nil, err
	}
	host := "anteroom"
	if u, err := url.Parse(who.base); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	text := calendar(found, link, host)
	return openapi.GetMeetingCalendar200TextcalendarResponse{Body: strings.NewReader(text), ContentLength: int64(len(text))}, nil
}

// calendar writes an iCalendar object with one event (RFC 5545). A meeting without a time begins when its row was written, so that
// clients that insist on one have one; the end is left out where there is none.
func calendar(m meeting, link, host string) string {
	var lines []string
	add := func(name, value string) { lines = append(lines, name+":"+value) }
	add("BEGIN", "VCALENDAR")
	add("VERSION", "2.0")
	add("PRODID", "-//Anteroom//Meetings//EN")
	add("CALSCALE", "GREGORIAN")
	add("METHOD", "PUBLISH")
	add("BEGIN", "VEVENT")
	// The UID stays with the meeting; SEQUENCE rises with each change, so that calendars replace the entry.
	add("UID", m.Value.ID+"@"+escapeText(host))
	add("DTSTAMP", instantUTC(m.At))
	add("SEQUENCE", sequence(m.Version))
	start := m.At
	if m.Value.StartsAt != nil {
		start = *m.Value.StartsAt
	}
	add("DTSTART", instantUTC(start))
	if m.Value.EndsAt != nil {
		add("DTEND", instantUTC(*m.Value.EndsAt))
	}
	add("SUMMARY", escapeText(m.Value.Title))
	add("LOCATION", escapeText(link))
	add("URL", link) // A URI is not escaped (RFC 5545, 3.3.13); links have no control characters.
	add("DESCRIPTION", escapeText("Join the meeting: "+link+"\nNo account is needed."))
	status := "CONFIRMED"
	if m.Value.Cancelled {
		status = "CANCELLED"
	}
	add("STATUS", status)
	if m.Value.Kind == directory.MeetingLiveEvent {
		add("TRANSP", "TRANSPARENT")
	}
	add("END", "VEVENT")
	add("END", "VCALENDAR")
	var out strings.Builder
	for _, line := range lines {
		fold(&out, line)
	}
	return out.String()
}

// sequence is a version as RFC 5545, 3.8.7.4 counts: from 0.
func sequence(version uint64) string {
	return strings.Trim(etag(max(version, 1)-1), `"`)
}

func instantUTC(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// escapeText writes a value of type TEXT (RFC 5545, 3.3.11).
func escapeText(s string) string {
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`).Replace(s)
}

// maxLine is how many octets a content line may have, its end not counted (RFC 5545, 3.1).
const maxLine = 75

// fold writes a content line in pieces of at most 75 octets; all but the first begin with a space. No character is cut in two.
func fold(out *strings.Builder, line string) {
	for room := maxLine; len(line) > room; room = maxLine - 1 {
		cut := room
		for cut > 0 && !utf8.RuneStart(line[cut]) {
			cut--
		}
		out.WriteString(line[:cut])
		out.WriteString("\r\n ")
		line = line[cut:]
	}
	out.WriteString(line)
	out.WriteString("\r\n")
}
