package store

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

// TagsKind is the kind of control rows that hold tags of calls, {"tags": ["…"]}, by call id.
const TagsKind = "call_tags"

// SummaryFilter says which calls are looked at. Org and Profile are required; what else is zero does not filter.
type SummaryFilter struct {
	Org, Profile string
	// From and To bound when the call began: not before From, before To.
	From, To  time.Time
	MeetingID string
	CallID    string
	Source    SourceKind
	Kind      string
	State     string
	Verdict   string
	// Reason is a metric or network diagnostic that made the call poor, and Side a likely side of its troubles.
	Reason, Side string
	// Client and ClientVersion are of one participant.
	Client, ClientVersion string
	Region, Site          string
	// Subnet that an org user came from.
	Subnet netip.Prefix
	// User is the id of an org user who was in the call.
	User string
	// Participant is the whole user id of an org user who was in the call, or the id of a participant.
	Participant string
	// Label is within the label of somebody in the call, in any case.
	Label string
	// Text is within the call id or the meeting id in any case, is the id of a participant or a stream, or is a support code: a call id, a slash and a
	// participant id.
	Text                     string
	Recorded                 *bool
	MinDuration, MaxDuration *time.Duration
	// HourOfDay, 0 to 23, and Weekday, 1 (Monday) to 7, are when the call began in Zone, the name of a time zone ("" is UTC).
	HourOfDay, Weekday *int
	Zone               string
	Tag                string
}

// ReadSubnet reads a network that is at the finest what calls are known by. Its errors complete the sentence "<parameter> …".
func ReadSubnet(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return prefix, errors.New("must be a network such as 192.0.2.0/24")
	}
	finest := 48
	if prefix.Addr().Is4() {
		finest = 24
	}
	if prefix.Bits() > finest {
		return prefix, fmt.Errorf("is finer than /%d, and calls are known by no more than that", finest)
	}
	return prefix, nil
}

// CheckZone tells whether a text names a time zone. Its errors complete the sentence "<parameter> …".
func CheckZone(name string) error {
	if _, err := time.LoadLocation(name); err != nil || name == "" || strings.EqualFold(name, "local") {
		return errors.New("must be the name of a time zone such as Europe/Paris")
	}
	return nil
}

// where is the condition on call_summaries, and its parameters. No value of the filter is in it.
func (f *SummaryFilter) where() (string, []any) {
	w := conditions{parts: []string{"NOT gone"}}
	w.add("org = {org:String}", "org", f.Org)
	w.add("profile = {profile:String}", "profile", f.Profile)
	if !f.From.IsZero() {
		w.add("at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')", "from", micros(f.From))
	}
	if !f.To.IsZero() {
		w.add("at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')", "to", micros(f.To))
	}
	if f.Source != 0 {
		w.add("toInt8(source) = {source:Int8}", "source", int8(f.Source))
	}
	w.text("call_id = {call:String}", "call", f.CallID)
	w.text("meeting_id = {meeting:String}", "meeting", f.MeetingID)
	w.text("toString(kind) = {kind:String}", "kind", f.Kind)
	w.text("toString(state) = {state:String}", "state", f.State)
	w.text("toString(verdict) = {verdict:String}", "verdict", f.Verdict)
	w.text("has(reasons, {reason:String})", "reason", f.Reason)
	w.text("has(sides, {side:String})", "side", f.Side)
	w.text("region = {region:String}", "region", f.Region)
	w.text("has(people.site, {site:String})", "site", f.Site)
	w.text("has(people.user_id, {user:String})", "user", f.User)
	w.text("arrayExists(x -> positionCaseInsensitiveUTF8(x, {label:String}) > 0, people.label)", "label", f.Label)
	f.participant(&w)
	f.clients(&w)
	f.text(&w)
	if f.Subnet.IsValid() {
		w.add("arrayExists(x -> x != '' AND isIPAddressInRange(splitByChar('/', toString(x))[1], {subnet:String}), people.network)", "subnet", f.Subnet.Masked().String())
	}
	if f.Recorded != nil {
		w.add("recorded = {recorded:Bool}", "recorded", *f.Recorded)
	}
	if f.MinDuration != nil {
		w.add("duration_ms >= {min_duration:Int64}", "min_duration", f.MinDuration.Milliseconds())
	}
	if f.MaxDuration != nil {
		w.add("duration_ms <= {max_duration:Int64}", "max_duration", f.MaxDuration.Milliseconds())
	}
	f.began(&w)
	w.text(`call_id IN (SELECT id FROM (
			SELECT id, argMax((value, deleted), (version, -toUnixTimestamp64Micro(inserted_at))) AS newest FROM control
			WHERE kind = '`+TagsKind+`' AND org = {org:String} GROUP BY id
		) WHERE NOT newest.2 AND has(JSONExtract(newest.1, 'tags', 'Array(String)'), {tag:String}))`, "tag", f.Tag)
	return strings.Join(w.parts, " AND "), w.args
}

func (f *SummaryFilter) participant(w *conditions) {
	id, err := uuid.Parse(f.Participant)
	if err != nil {
		w.text("has(people.user_id, {participant:String})", "participant", f.Participant)
		return
	}
	w.add("(has(people.user_id, {participant:String}) OR has(people.participant_id, {participant_id:UUID}))", "participant", f.Participant)
	w.args = append(w.args, clickhouse.Named("participant_id", id.String()))
}

func (f *SummaryFilter) began(w *conditions) {
	zone := f.Zone
	if zone == "" {
		zone = "UTC"
	}
	if f.HourOfDay != nil {
		w.add("toHour(at, {began_zone:String}) = {hour_of_day:UInt8}", "hour_of_day", uint8(min(max(*f.HourOfDay, 0), math.MaxUint8))) //nolint:gosec // in bounds
	}
	if f.Weekday != nil {
		w.add("toDayOfWeek(at, 0, {began_zone:String}) = {weekday:UInt8}", "weekday", uint8(min(max(*f.Weekday, 0), math.MaxUint8))) //nolint:gosec // in bounds
	}
	if f.HourOfDay != nil || f.Weekday != nil {
		w.args = append(w.args, clickhouse.Named("began_zone", zone))
	}
}

func (f *SummaryFilter) clients(w *conditions) {
	if f.Client != "" && f.ClientVersion != "" {
		w.add("arrayExists((x, y) -> x = {client:String} AND y = {client_version:String}, people.client, people.client_version)", "client", f.Client)
		w.args = append(w.args, clickhouse.Named("client_version", f.ClientVersion))
		return
	}
	w.text("has(people.client, {client:String})", "client", f.Client)
	w.text("has(people.client_version, {client_version:String})", "client_version", f.ClientVersion)
}

func (f *SummaryFilter) text(w *conditions) {
	if f.Text == "" {
		return
	}
	either := []string{"positionCaseInsensitiveUTF8(call_id, {text:String}) > 0", "positionCaseInsensitiveUTF8(meeting_id, {text:String}) > 0"}
	if id, err := uuid.Parse(f.Text); err == nil {
		either = append(either, "has(people.participant_id, {text_id:UUID})", "has(streams.stream_id, {text_id:UUID})")
		w.args = append(w.args, clickhouse.Named("text_id", id.String()))
	}
	if at := strings.LastIndexByte(f.Text, '/'); at > 0 {
		if id, err := uuid.Parse(f.Text[at+1:]); err == nil {
			either = append(either, "(call_id = {code_call:String} AND has(people.participant_id, {code_id:UUID}))")
			w.args = append(w.args, clickhouse.Named("code_call", f.Text[:at]), clickhouse.Named("code_id", id.String()))
		}
	}
	w.add("("+strings.Join(either, " OR ")+")", "text", f.Text)
}

// conditions collects those of a statement and their parameters.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) add(part, parameter string, value any) {
	c.parts, c.args = append(c.parts, part), append(c.args, clickhouse.Named(parameter, value))
}

// text is add for a text that says nothing if it is empty.
func (c *conditions) text(part, parameter, value string) {
	if value != "" {
		c.add(part, parameter, value)
	}
}
