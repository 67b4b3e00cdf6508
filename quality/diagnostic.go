package quality

import (
	"strings"
	"time"
)

// Lane is the row of a call's timeline on which a diagnostic is shown.
type Lane string

// The lanes of user-facing diagnostics.
const (
	LaneNetwork       Lane = "Network"
	LaneAudio         Lane = "Audio"
	LaneVideo         Lane = "Video"
	LaneScreenSharing Lane = "ScreenSharing"
)

// DiagnosticKind is the kind of value that a diagnostic takes.
type DiagnosticKind string

// The two kinds.
const (
	KindFlag    DiagnosticKind = "flag"    // True is bad, False is good
	KindQuality DiagnosticKind = "quality" // Poor and Bad are bad, Good is good
)

// DiagnosticInfo is one row of the closed table of user-facing diagnostics.
type DiagnosticInfo struct {
	Name   string         `json:"name"` // canonical spelling
	Lane   Lane           `json:"lane"`
	Kind   DiagnosticKind `json:"kind"`
	Native bool           `json:"native,omitempty"` // raised by native clients only
	// NeverIssue: shown on the timeline, never counted as an issue.
	NeverIssue bool `json:"never_issue,omitempty"`
}

// DiagnosticTable lists the user-facing diagnostics. The slice is the caller's.
//
// Names, kinds and groups follow the published log reference. The reference
// portal picks lanes by words in the name, which puts capturerStartFailed and
// capturerStoppedUnexpectedly on the video lane; they are diagnostics of screen
// sharing, and are on that lane here.
func DiagnosticTable() []DiagnosticInfo {
	return []DiagnosticInfo{
		{Name: "noNetwork", Lane: LaneNetwork, Kind: KindFlag},
		{Name: "networkRelaysNotReachable", Lane: LaneNetwork, Kind: KindFlag},
		{Name: "networkReconnect", Lane: LaneNetwork, Kind: KindQuality},
		{Name: "networkReceiveQuality", Lane: LaneNetwork, Kind: KindQuality},
		{Name: "networkSendQuality", Lane: LaneNetwork, Kind: KindQuality},

		{Name: "noSpeakerDevicesEnumerated", Lane: LaneAudio, Kind: KindFlag},
		{Name: "speakingWhileMicrophoneIsMuted", Lane: LaneAudio, Kind: KindFlag, NeverIssue: true},
		{Name: "noMicrophoneDevicesEnumerated", Lane: LaneAudio, Kind: KindFlag},
		{Name: "microphoneNotFunctioning", Lane: LaneAudio, Kind: KindFlag},
		{Name: "microphoneMuteUnexpectedly", Lane: LaneAudio, Kind: KindFlag},
		{Name: "microphonePermissionDenied", Lane: LaneAudio, Kind: KindFlag},
		{Name: "speakerVolumeIsZero", Lane: LaneAudio, Kind: KindFlag, Native: true},
		{Name: "speakerMuted", Lane: LaneAudio, Kind: KindFlag, Native: true, NeverIssue: true},
		{Name: "speakerNotFunctioning", Lane: LaneAudio, Kind: KindFlag, Native: true},
		{Name: "speakerNotFunctioningDeviceInUse", Lane: LaneAudio, Kind: KindFlag, Native: true},
		{Name: "microphoneNotFunctioningDeviceInUse", Lane: LaneAudio, Kind: KindFlag, Native: true},

		{Name: "cameraFreeze", Lane: LaneVideo, Kind: KindFlag},
		{Name: "cameraStartFailed", Lane: LaneVideo, Kind: KindFlag},
		{Name: "cameraStartTimedOut", Lane: LaneVideo, Kind: KindFlag},
		{Name: "cameraPermissionDenied", Lane: LaneVideo, Kind: KindFlag},
		{Name: "cameraStoppedUnexpectedly", Lane: LaneVideo, Kind: KindFlag},

		{Name: "screenshareRecordingDisabled", Lane: LaneScreenSharing, Kind: KindFlag},
		{Name: "capturerStartFailed", Lane: LaneScreenSharing, Kind: KindFlag},
		{Name: "capturerStoppedUnexpectedly", Lane: LaneScreenSharing, Kind: KindFlag},
	}
}

// LookupDiagnostic finds a diagnostic by name, whatever the case and with
// blanks around it; false for a name that isn't in the table.
func LookupDiagnostic(name string) (DiagnosticInfo, bool) {
	name = strings.TrimSpace(name)
	for _, d := range DiagnosticTable() {
		if strings.EqualFold(d.Name, name) {
			return d, true
		}
	}
	return DiagnosticInfo{}, false
}

// BadDiagnosticValue reads the value of a diagnostic, whatever the case: bad
// for True, Poor and Bad, good for False and Good. Logs write flags with
// either pair of words, so both are read for both kinds. known is false for
// anything else; such a value neither raises nor clears the diagnostic.
func BadDiagnosticValue(value string) (bad, known bool) {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true", "poor", "bad":
		return true, true
	case "false", "good":
		return false, true
	}
	return false, false
}

// Diagnostic is one user-facing diagnostic event of a call.
type Diagnostic struct {
	Name        string // any case; see LookupDiagnostic
	Value       string // see BadDiagnosticValue
	OperationID string // ties the event that goes bad to the one that goes good; may be empty
	// Participant is whose diagnostic it is, and At when it was raised; ""
	// and the zero time are not known.
	Participant string
	At          time.Time
}

// DiagnosticReason is one network diagnostic that went bad, as a reason for a
// poor call.
type DiagnosticReason struct {
	Name   string `json:"name"`   // as in DiagnosticTable
	Value  string `json:"value"`  // the worst it went to: True, Poor or Bad
	Source string `json:"source"` // of the rule
}

// String is the reason as shown to people, such as "networkSendQuality went Bad".
func (r DiagnosticReason) String() string { return r.Name + " went " + r.Value }

// canonicalValue spells a bad value as the log reference does.
func canonicalValue(value string) string {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true":
		return "True"
	case "poor":
		return "Poor"
	}
	return "Bad"
}

// severity orders canonical bad values.
func severity(value string) int {
	if value == "Poor" {
		return 0
	}
	return 1
}

// GroupDiagnostics says which events are one issue: it gives each event the
// number of its group, from 0 in order of first appearance, and -1 to an event
// that belongs to none. A group is an issue; it has an event that went bad.
//
// Events of one operation id and name are one issue, however often they go bad.
// So are events of one participant with one name and one bad value in the same
// second of the clock: when the network goes, each peer connection of a client
// reports it, under operation ids of its own. What either rule joins stays
// together. An event that goes good joins by its operation id alone, and an
// event of which neither operation nor participant and time are known stands
// for itself.
func GroupDiagnostics(events []Diagnostic) []int {
	type operation struct{ id, name string }
	type moment struct {
		participant, name, value string
		second                   int64
	}
	root := make([]int, len(events)) // the first event of what an event is joined with
	find := func(i int) int {
		for root[i] != i {
			root[i] = root[root[i]] // keeps the way short
			i = root[i]
		}
		return i
	}
	join := func(i, j int) {
		i, j = find(i), find(j)
		root[max(i, j)] = min(i, j)
	}
	issue := make([]bool, len(events)) // went bad, and counts
	byOperation, byMoment := make(map[operation]int), make(map[moment]int)
	for i, e := range events {
		root[i] = i
		info, named := LookupDiagnostic(e.Name)
		wentBad, read := BadDiagnosticValue(e.Value)
		if !named || !read || info.NeverIssue {
			continue
		}
		issue[i] = wentBad
		if e.OperationID != "" {
			join(i, first(byOperation, operation{e.OperationID, info.Name}, i))
		}
		if wentBad && e.Participant != "" && !e.At.IsZero() {
			join(i, first(byMoment, moment{e.Participant, info.Name, canonicalValue(e.Value), e.At.Unix()}, i))
		}
	}
	bad := make(map[int]bool) // roots of groups that have an issue
	for i := range events {
		if issue[i] {
			bad[find(i)] = true
		}
	}
	out, number := make([]int, len(events)), make(map[int]int)
	for i := range events {
		out[i] = -1
		if bad[find(i)] {
			out[i] = first(number, find(i), len(number))
		}
	}
	return out
}

// first is what m has under the key; v, which is put there, if it has nothing.
func first[K comparable](m map[K]int, key K, v int) int {
	if had, ok := m[key]; ok {
		return had
	}
	m[key] = v
	return v
}
