package api

import (
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/retention/report"
	"github.com/anteroom/anteroom/store"
)

// callsIn is which calls an export is about; nil for one that is about none.
func (h *handlers) callsIn(kind report.Kind, f *openapi.ExportCallsFilter) (*report.CallsFilter, error) {
	ofCalls := kind == report.Calls || kind == report.Participants || kind == report.Streams
	if f == nil && !ofCalls {
		return nil, nil //nolint:nilnil // nothing was asked for, which is no error
	}
	given := value(f)
	profile, err := h.profile(given.Profile)
	if err != nil {
		return nil, err
	}
	out := &report.CallsFilter{
		Profile: profile.Name(), CallKind: string(value(given.Kind)), State: string(value(given.State)), Verdict: string(value(given.Verdict)),
		Reason: value(given.Reason), Side: string(value(given.Side)), Client: value(given.Client), ClientVersion: value(given.ClientVersion),
		Region: value(given.Region), Site: value(given.Site), Subnet: value(given.Subnet), User: value(given.User), Label: value(given.ParticipantLabel),
		Text: value(given.Q), Tag: value(given.Tag), Recorded: given.Recorded, MinDurationS: given.MinDurationS, MaxDurationS: given.MaxDurationS,
		HourOfDay: given.HourOfDay, Weekday: given.Weekday, Zone: value(given.TimeZone),
	}
	if given.Source != nil {
		out.Source = parseSource(string(*given.Source)).String()
	}
	return out, nil
}

// presentCalls shows it.
func presentCalls(f *report.CallsFilter) *openapi.ExportCallsFilter {
	if f == nil {
		return nil
	}
	out := &openapi.ExportCallsFilter{
		Profile: named[openapi.ProfileName](f.Profile), Kind: named[openapi.ExportCallsFilterKind](f.CallKind), State: named[openapi.CallState](f.State),
		Verdict: named[openapi.Verdict](f.Verdict), Reason: textOrNil(f.Reason), Side: named[openapi.LikelySide](f.Side), Client: textOrNil(f.Client),
		ClientVersion: textOrNil(f.ClientVersion), Region: textOrNil(f.Region), Site: textOrNil(f.Site), Subnet: textOrNil(f.Subnet), User: textOrNil(f.User),
		ParticipantLabel: textOrNil(f.Label), Q: textOrNil(f.Text), Tag: textOrNil(f.Tag), Recorded: f.Recorded, MinDurationS: f.MinDurationS,
		MaxDurationS: f.MaxDurationS, HourOfDay: f.HourOfDay, Weekday: f.Weekday, TimeZone: textOrNil(f.Zone),
	}
	if f.Source != "" {
		out.Source = named[openapi.Source](sourceName(store.ParseSourceKind(f.Source)))
	}
	return out
}

// named is a name of a closed set, nil for none.
func named[T ~string](text string) *T {
	if text == "" {
		return nil
	}
	out := T(text)
	return &out
}
