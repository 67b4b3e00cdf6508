package quality

import "strings"

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
}
