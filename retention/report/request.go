package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// Kind is what a report is about.
type Kind string

// The kinds.
const (
	// Retention: every thing that was kept, in which state it is, by which rule, and the proof of those that are gone (rule R7).
	Retention Kind = "retention"
	// Notices: who was told when of recording and transcription (rule P2).
	Notices Kind = "notices"
	// Changes of policies, holds and settings: who, what, before, after.
	Changes Kind = "changes"
	// HeldContent is the text of what a hold covers. It takes a second person's approval.
	HeldContent Kind = "held_content"
	// Calls, their participants and their streams, as call analytics has them when the report is made.
	Calls        Kind = "calls"
	Participants Kind = "participants"
	Streams      Kind = "streams"
)

// Kinds returns all of them.
func Kinds() []Kind {
	return []Kind{Retention, Notices, Changes, HeldContent, Calls, Participants, Streams}
}

// ofCalls tells whether a kind is about calls.
func (k Kind) ofCalls() bool { return k == Calls || k == Participants || k == Streams }

// DefaultProfile is by whose thresholds calls are judged unless the request says another.
const DefaultProfile = "call-diagnostics"

// Format is a form of the rows besides JSON Lines, which is always there.
type Format string

// The formats.
const (
	CSV     Format = "csv"
	Parquet Format = "parquet"
	PDF     Format = "pdf" // a summary, not the rows
)

// Formats returns all of them.
func Formats() []Format { return []Format{CSV, Parquet, PDF} }

// Class is what kind of thing is kept.
type Class = proof.Class

// Request is what a report is asked for with.
type Request struct {
	Kind Kind `json:"kind"`
	// Region to report on; "" for all. Notices, changes and calls are in the home region only.
	Region string `json:"region,omitempty"`
	// From and To bound the time of sending (of the notice, of the change), or when calls began: not before From, before To. UTC, to the microsecond.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Classes to list; empty for all.
	Classes []Class `json:"classes,omitempty"`
	// Meeting and Resource to list, UUID text; "" for all.
	Meeting  string `json:"meeting_id,omitempty"`
	Resource string `json:"resource_id,omitempty"`
	// Filter says which calls; for reports of calls only.
	Filter *CallsFilter `json:"filter,omitempty"`
	// Reason why it is asked for; held content takes one, others may have one.
	Reason string `json:"reason,omitempty"`
	// Formats besides JSON Lines.
	Formats []Format `json:"formats"`
	// BOM begins the CSV with a byte order mark, for spreadsheets that take it for another encoding otherwise.
	BOM bool `json:"csv_bom,omitempty"`
}

// CallsFilter says which calls a report of calls is about.
type CallsFilter = proof.CallsQuery

// FieldError is a field of a request that can't be.
type FieldError struct {
	// Field by its name in JSON.
	Field string
	// Reason completes the sentence "<field> …"; it never quotes the value.
	Reason string
}

func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// Fields lists the field errors in an error, in the order in which they were found.
func Fields(err error) []*FieldError {
	var out []*FieldError
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand: errors.As stops at the first
	case *FieldError:
		out = append(out, e)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			out = append(out, Fields(one)...)
		}
	case interface{ Unwrap() error }:
		out = Fields(e.Unwrap())
	}
	return out
}

// normal is the request in one form: lists sorted and without doubles, ids in lower case, times in UTC.
func (r Request) normal() Request {
	r.From, r.To = r.From.UTC().Truncate(time.Microsecond), r.To.UTC().Truncate(time.Microsecond)
	r.Classes, r.Formats = sorted(r.Classes), sorted(r.Formats)
	r.Meeting, r.Resource = strings.ToLower(r.Meeting), strings.ToLower(r.Resource)
	if r.Kind.ofCalls() {
		filter := CallsFilter{}
		if r.Filter != nil {
			filter = *r.Filter
		}
		if filter.Profile == "" {
			filter.Profile = DefaultProfile
		}
		r.Filter = &filter
	}
	return r
}

func sorted[T cmp.Ordered](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// check reports each field that can't be (*FieldError). regions are those there are, home first.
func (r Request) check(cfg Config, regions []string) error {
	var errs []error
	fail := func(field, reason string, args ...any) {
		errs = append(errs, &FieldError{Field: field, Reason: fmt.Sprintf(reason, args...)})
	}
	if !slices.Contains(Kinds(), r.Kind) {
		fail("kind", "must be one of %s", list(Kinds()))
	}
	r.checkWindow(cfg, fail)
	switch known := regionsOf(r.Kind, regions); {
	case r.Region == "" || slices.Contains(known, r.Region):
	case slices.Contains(regions, r.Region):
		fail("region", "must be %s for this kind: it is kept in the home region only", regions[0])
	default:
		fail("region", "must be one of %s", strings.Join(regions, ", "))
	}
	r.checkFilters(fail)
	for i, f := range r.Formats {
		if !slices.Contains(Formats(), f) {
			fail(fmt.Sprintf("formats[%d]", i), "must be one of %s", list(Formats()))
		}
	}
	if r.Kind == HeldContent && strings.TrimSpace(r.Reason) == "" {
		fail("reason", "is missing; say what the text is needed for")
	}
	if reason := checkReason(r.Reason); reason != "" {
		fail("reason", "%s", reason)
	}
	if r.BOM && !slices.Contains(r.Formats, CSV) {
		fail("csv_bom", "is for the format csv, which is not asked for")
	}
	return errors.Join(errs...)
}

type failure func(field, reason string, args ...any)

// firstYear and lastYear bound what the store can hold.
const (
	firstYear = 1970
	lastYear  = 2200
)

func (r Request) checkWindow(cfg Config, fail failure) {
	within := func(t time.Time) bool { return t.Year() >= firstYear && t.Year() < lastYear }
	switch {
	case !within(r.From):
		fail("from", "must be a time from %d to %d", firstYear, lastYear-1)
	case !within(r.To):
		fail("to", "must be a time from %d to %d", firstYear, lastYear-1)
	case !r.From.Before(r.To):
		fail("to", "must be after from")
	case r.To.Sub(r.From) > cfg.MaxWindow:
		fail("to", "is more than %g days after from; ask for several exports", cfg.MaxWindow.Hours()/24)
	}
}

func (r Request) checkFilters(fail failure) {
	about := func(field string, given bool, kinds ...Kind) bool {
		if given && slices.Contains(Kinds(), r.Kind) && !slices.Contains(kinds, r.Kind) {
			fail(field, "is no filter of this kind; it is one of %s", list(kinds))
			return false
		}
		return given
	}
	if about("classes", len(r.Classes) > 0, Retention, HeldContent) {
		allowed := proof.Classes()
		if r.Kind == HeldContent {
			allowed = []proof.Class{proof.Thread, proof.Copy}
		}
		for i, c := range r.Classes {
			if !slices.Contains(allowed, c) {
				fail(fmt.Sprintf("classes[%d]", i), "must be one of %s", list(allowed))
			}
		}
	}
	id := func(field, s string, kinds ...Kind) {
		if about(field, s != "", kinds...) && uuid.Validate(s) != nil {
			fail(field, "must be an id such as 123e4567-e89b-12d3-a456-426614174000")
		}
	}
	id("meeting_id", r.Meeting, Retention, Notices, HeldContent, Calls, Participants, Streams)
	about("filter", r.Filter != nil, Calls, Participants, Streams)
	id("resource_id", r.Resource, Retention, HeldContent)
	if f := r.Filter; f != nil {
		checkCalls(f, fail)
	}
}

// checkCalls reports what can't be of which calls are asked for.
func checkCalls(f *CallsFilter, fail failure) {
	if f.Source != "" && store.ParseSourceKind(f.Source) == 0 {
		fail("filter.source", "is no kind of source")
	}
	if f.Subnet != "" {
		if _, err := store.ReadSubnet(f.Subnet); err != nil {
			fail("filter.subnet", "%s", err)
		}
	}
	if h := f.HourOfDay; h != nil && (*h < 0 || *h > 23) {
		fail("filter.hour_of_day", "must be 0 to 23")
	}
	if d := f.Weekday; d != nil && (*d < 1 || *d > 7) {
		fail("filter.weekday", "must be 1 (Monday) to 7")
	}
	if f.Zone != "" {
		if err := store.CheckZone(f.Zone); err != nil {
			fail("filter.time_zone", "%s", err)
		}
	}
	switch least, most := f.MinDurationS, f.MaxDurationS; {
	case least != nil && *least < 0:
		fail("filter.min_duration_s", "must not be less than 0")
	case most != nil && *most < 0:
		fail("filter.max_duration_s", "must not be less than 0")
	case least != nil && most != nil && *least > *most:
		fail("filter.max_duration_s", "must not be less than min_duration_s")
	}
}

// maxReason is the length of a reason in characters.
const maxReason = 500

// checkReason says what is wrong with a reason, "" for nothing.
func checkReason(s string) string {
	switch {
	case !utf8.ValidString(s):
		return "is not UTF-8"
	case utf8.RuneCountInString(s) > maxReason:
		return fmt.Sprintf("has more than %d characters", maxReason)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
		return "has a control or bidi-override character"
	}
	return ""
}

func list[T ~string](of []T) string {
	names := make([]string, len(of))
	for i, one := range of {
		names[i] = string(one)
	}
	return strings.Join(names, ", ")
}

// regionsOf are the regions that have rows of a kind.
func regionsOf(k Kind, regions []string) []string {
	if k == Notices || k == Changes || k.ofCalls() {
		return regions[:1]
	}
	return regions
}
