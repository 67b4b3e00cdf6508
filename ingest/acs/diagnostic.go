package acs

import (
	"strings"

	"github.com/anteroom/anteroom/event/eventpb"
)

var diagnosticNames = words("noNetwork", "networkRelaysNotReachable", "networkReconnect", "networkReceiveQuality",
	"networkSendQuality", "noSpeakerDevicesEnumerated", "speakingWhileMicrophoneIsMuted", "noMicrophoneDevicesEnumerated",
	"microphoneNotFunctioning", "microphoneMuteUnexpectedly", "microphonePermissionDenied", "cameraFreeze", "cameraStartFailed",
	"cameraStartTimedOut", "cameraPermissionDenied", "cameraStoppedUnexpectedly", "screenshareRecordingDisabled",
	"capturerStartFailed", "capturerStoppedUnexpectedly", "speakerVolumeIsZero", "speakerMuted", "speakerNotFunctioning",
	"speakerNotFunctioningDeviceInUse", "microphoneNotFunctioningDeviceInUse")

// diagnosticValues are the values with the numbers that the SDK gives to qualities.
var diagnosticValues = map[string]string{
	"good": "Good", "poor": "Poor", "bad": "Bad", "true": "True", "false": "False", "1": "Good", "2": "Poor", "3": "Bad",
}

// decodeDiagnostic makes a user-facing diagnostic. Its begin and its end come as two records with one operation id.
func decodeDiagnostic(r *record) {
	name := r.payload("DiagnosticChanged")
	if name == "" {
		r.failPayload("DiagnosticChanged", "is missing")
		return
	}
	if usual := diagnosticNames.of(name); usual != "" {
		name = usual
	} else if isWord(name) {
		name = strings.ToLower(name[:1]) + name[1:]
	} else {
		r.failPayload("DiagnosticChanged", "must be the name of a diagnostic")
		return
	}
	value := ""
	for _, field := range []string{"DiagnosticQuality", "DiagnosticFlag", "DiagnosticValue", "Value"} {
		if value = diagnosticValues[strings.ToLower(r.payload(field))]; value != "" {
			break
		}
	}
	if value == "" {
		r.failPayload("DiagnosticQuality", "must be Good, Poor, Bad, True or False")
		return
	}
	r.emit(&eventpb.Event{Payload: &eventpb.Event_ClientDiagnostic{ClientDiagnostic: &eventpb.ClientDiagnostic{
		ParticipantId: r.participantOf(r.participantKey()), Name: name, Value: value,
		Lane: diagnosticLane(name), OperationId: r.operationID(),
	}}})
}

func (r *record) failPayload(name, reason string) { r.failField("OperationPayload."+name, reason) }

// diagnosticLane goes by the name, as Azure's portal does.
func diagnosticLane(name string) eventpb.Lane {
	name = strings.ToLower(name)
	for _, lane := range []struct {
		mark string
		lane eventpb.Lane
	}{
		{"speak", eventpb.Lane_LANE_AUDIO},
		{"microphone", eventpb.Lane_LANE_AUDIO},
		{"camera", eventpb.Lane_LANE_VIDEO},
		{"capture", eventpb.Lane_LANE_VIDEO},
		{"screenshare", eventpb.Lane_LANE_SCREEN},
		{"network", eventpb.Lane_LANE_NETWORK},
	} {
		if strings.Contains(name, lane.mark) {
			return lane.lane
		}
	}
	return eventpb.Lane_LANE_CALL
}
