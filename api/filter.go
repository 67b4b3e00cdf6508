package api

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

// maxWindow is the longest window that figures are added up of.
const maxWindow = 400 * day

const day = 24 * time.Hour

// values are a request's query parameters, which have been held against the document.
func values(ctx context.Context) url.Values {
	r := requestIn(ctx)
	if r == nil {
		return url.Values{}
	}
	return r.URL.Query()
}

// summaryFilter reads the filter that all lists and figures of calls share.
func (h *handlers) summaryFilter(ctx context.Context) (store.SummaryFilter, error) {
	q := values(ctx)
	named := openapi.Profile(q.Get("profile"))
	profile, err := h.profile(&named)
	if err != nil {
		return store.SummaryFilter{}, err
	}
	f := store.SummaryFilter{
		Org: callerOf(ctx).about, Profile: profile.Name(), Source: parseSource(q.Get("source")), Kind: q.Get("kind"), State: q.Get("state"),
		Verdict: q.Get("verdict"), Reason: q.Get("reason"), Side: q.Get("side"), Client: q.Get("client"), ClientVersion: q.Get("client_version"),
		Region: q.Get("region"), Site: q.Get("site"), User: q.Get("user"), Label: q.Get("participant_label"), Text: q.Get("q"), Tag: q.Get("tag"),
	}
	if f.From, f.To, err = windowOf(q, time.Now()); err != nil {
		return f, err
	}
	if f.Subnet, err = subnetOf(q.Get("subnet")); err != nil {
		return f, err
	}
	if text := q.Get("recorded"); text != "" {
		recorded := text == "true"
		f.Recorded = &recorded
	}
	f.HourOfDay, f.Weekday = numberOf(q.Get("hour_of_day")), numberOf(q.Get("weekday"))
	if f.Zone, err = zoneOf(q); err != nil {
		return f, err
	}
	f.MinDuration, f.MaxDuration = secondsOf(q.Get("min_duration_s")), secondsOf(q.Get("max_duration_s"))
	if f.MinDuration != nil && f.MaxDuration != nil && *f.MinDuration > *f.MaxDuration {
		return f, invalidParameter("max_duration_s", "The parameter max_duration_s must not be less than min_duration_s.")
	}
	return f, nil
}

// numberOf is a whole number that the document let through, nil for none.
func numberOf(text string) *int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil
	}
	return &n
}

func secondsOf(text string) *time.Duration {
	n := numberOf(text)
	if n == nil {
		return nil
	}
	out := time.Duration(*n) * time.Second
	return &out
}

// subnetOf reads a network that is at the finest what calls are known by.
func subnetOf(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	prefix, err := store.ReadSubnet(text)
	if err != nil {
		return prefix, invalidParameter("subnet", "The parameter subnet "+err.Error()+".")
	}
	return prefix, nil
}

// windowOf reads from, to, last and days.
func windowOf(q url.Values, now time.Time) (from, to time.Time, err error) {
	read := func(name string) (*time.Time, error) {
		text := q.Get(name)
		if text == "" {
			return nil, nil //nolint:nilnil // not given
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, invalidParameter(name, "The parameter "+name+" must be an RFC 3339 time such as 2026-03-04T12:00:00Z.")
		}
		return &t, nil
	}
	begin, err := read("from")
	if err != nil {
		return from, to, err
	}
	end, err := read("to")
	if err != nil {
		return from, to, err
	}
	back, name := backOf(q)
	if back == 0 {
		return window(begin, end)
	}
	for _, other := range []string{"from", "to", "last"} {
		if other != name && q.Get(other) != "" {
			return from, to, invalidParameter(name, "The parameter "+name+" does not go with "+other+".")
		}
	}
	return now.Add(-back).UTC(), now.UTC(), nil
}

// backOf is how far last or days goes back, and which of them was given; 0 for none.
func backOf(q url.Values) (time.Duration, string) {
	if text := q.Get("days"); text != "" {
		n, _ := strconv.Atoi(text) // the document lets numbers through only
		return time.Duration(n) * day, "days"
	}
	text := q.Get("last")
	if text == "" {
		return 0, ""
	}
	n, _ := strconv.Atoi(text[:len(text)-1])
	unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": day}[text[len(text)-1:]]
	return time.Duration(n) * unit, "last"
}

// bounded makes a window that has an end on both sides and is no longer than most; back is how long it is unless asked.
func bounded(f *store.SummaryFilter, q url.Values, back, most time.Duration) error {
	if f.To.IsZero() {
		f.To = time.Now().UTC()
		if !f.From.IsZero() && !f.To.After(f.From) {
			f.To = f.From.Add(time.Second)
		}
	}
	if f.From.IsZero() {
		f.From = f.To.Add(-back)
	}
	return within(f.From, f.To, most, givenOf(q))
}

// givenOf is the parameter that made a window as long as it is.
func givenOf(q url.Values) string {
	for _, name := range []string{"last", "days", "from"} {
		if q.Get(name) != "" {
			return name
		}
	}
	return "to"
}

// within refuses a window that is longer than most, with one that fits.
func within(from, to time.Time, most time.Duration, parameter string) error {
	if length := to.Sub(from); length > most {
		return &Error{Code: CodeRangeTooWide, Parameter: parameter, Detail: fmt.Sprintf(
			"The range is %s long, and at most %s fit: ask for %s to %s, or for another range of that length.", lengthText(length), lengthText(most),
			to.Add(-most).Format(time.RFC3339), to.Format(time.RFC3339))}
	}
	return nil
}

func lengthText(d time.Duration) string {
	if d >= 2*day {
		return fmt.Sprintf("%d days", (d+day-1)/day)
	}
	return fmt.Sprintf("%d hours", (d+time.Hour-1)/time.Hour)
}

// tooSlow says of a query that ran out of its limits which range would fit.
func (h *handlers) tooSlow(err error, from, to time.Time) error {
	code := CodeQueryTimeout
	switch {
	case errors.Is(err, store.ErrQueryTooLarge):
		code = CodeQueryTooLarge
	case !errors.Is(err, store.ErrQueryTimeout):
		return err
	}
	half := to.Add(-to.Sub(from) / 2)
	return fmt.Errorf("%w: %w", &Error{Code: code, Parameter: "from", Detail: fmt.Sprintf(
		"The answer takes more than the %s or the memory that a query may take; it is not known whether there is any. Ask for half the range: %s to %s.", h.cfg.Query.Timeout,
		half.Format(time.RFC3339), to.Format(time.RFC3339))}, err)
}

// zoneOf reads the name of a time zone; UTC for none.
func zoneOf(q url.Values) (string, error) {
	name := q.Get("time_zone")
	if name == "" {
		return "UTC", nil
	}
	if err := store.CheckZone(name); err != nil {
		return "", invalidParameter("time_zone", "The parameter time_zone "+err.Error()+".")
	}
	return name, nil
}
