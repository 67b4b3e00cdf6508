package acs

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
)

// The operations that Azure's portal shows, by lane. Its records write state changes with and without a hyphen ("IsMuted-changed",
// "isMuted-changed", "IsMutedChanged").
var (
	callOperations = words("CallAgentInit", "StartCall", "Join", "EnterCall", "AcceptIncomingCall", "RejectIncomingCall", "Hold",
		"Hangup", "AskDevicePermission", "StateChanged", "PageHidden", "SelectedDeviceChanged")
	audioOperations = words("MuteMicrophone", "UnmuteMicrophone", "IsMutedChanged", "IsIncomingAudioMutedChanged", "StartAudio",
		"StopAudio", "SelectedMicrophoneChanged", "SelectedSpeakerChanged")
	videoOperations = words("StartVideo", "StopVideo", "CreateView", "DisposeView", "SwitchSource", "OptimalVideoCountChanged")
	shareOperations = words("StartScreenShare", "StopScreenShare")
	// The portal leaves these out, and so do we: they name ids.
	droppedOperations = words("CallModeChanged", "IdChanged", "RoleChanged", "CallClientOperations")
)

const diagnosticOperation = "userfacingdiagnostics"

var operationResults = map[string]string{
	"succeeded": "Succeeded", "success": "Succeeded", "expectederror": "ExpectedError", "expectedclienterror": "ExpectedError",
	"expectedservererror": "ExpectedError", "unexpectederror": "UnexpectedError", "unexpectedclienterror": "UnexpectedClientError",
	"unexpectedservererror": "UnexpectedServerError", "failed": "Failed",
}

// decodeOperation makes a client diagnostic or a client operation.
func decodeOperation(r *record) {
	name := strings.ReplaceAll(r.operationName(), "-", "")
	switch {
	case name == "" || droppedOperations.of(name) != "":
		r.skip = SkipOperation
		return
	case strings.EqualFold(name, diagnosticOperation):
		decodeDiagnostic(r)
		return
	}
	name, lane := operationLane(name)
	length, _ := r.duration("DurationMs", time.Millisecond)
	r.emit(&eventpb.Event{Payload: &eventpb.Event_ClientOperation{ClientOperation: &eventpb.ClientOperation{
		ParticipantId: r.participantOf(r.participantKey()), Name: name, Lane: lane, OperationId: r.operationID(),
		Result: operationResults[strings.ToLower(r.text("ResultType"))], ResultCode: r.code("ResultSignature"),
		DurationMs: length / 1000, Attributes: r.attributes(),
	}}})
}

// operationName is the operation if it is named as code is named: letters first, then letters, digits and "_.-".
func (r *record) operationName() string {
	name := r.token("OperationName", 64)
	if name == "" || !isLetter(name[0]) {
		return ""
	}
	return name
}

func operationLane(name string) (string, eventpb.Lane) {
	for _, lane := range []struct {
		known vocabulary
		lane  eventpb.Lane
	}{
		{callOperations, eventpb.Lane_LANE_CALL},
		{audioOperations, eventpb.Lane_LANE_AUDIO},
		{videoOperations, eventpb.Lane_LANE_VIDEO},
		{shareOperations, eventpb.Lane_LANE_SCREEN},
	} {
		if usual := lane.known.of(name); usual != "" {
			return usual, lane.lane
		}
	}
	return name, eventpb.Lane_LANE_CALL
}

func (r *record) operationID() []byte {
	id := r.id("OperationId")
	if id == "" {
		return nil
	}
	return r.opt.Pseudonyms.ID(label.Operation, r.call, id)
}

// payload is a member of the operation's payload, "" when it is missing or no plain value.
func (r *record) payload(name string) string {
	object, _ := r.find("OperationPayload")
	members, _ := object.(map[string]any)
	s, _ := members[strings.ToLower(name)].(string)
	if strings.EqualFold(s, "redacted") {
		return ""
	}
	return s
}

// The attributes that are kept, each with its closed set of values. What people or devices are called can't be among them.
var attributeValues = map[string]struct {
	key    string
	values vocabulary
}{
	"NewState": {"new_state", words("None", "Idle", "Connecting", "Ringing", "EarlyMedia", "Connected", "LocalHold", "RemoteHold",
		"InLobby", "Disconnecting", "Disconnected", "Incoming", "Outgoing")},
	"CallDirection": {"call_direction", words("Incoming", "Outgoing")},
	"StreamType":    {"stream_type", words("Audio", "Video", "ScreenSharing", "RawMedia", "LocalVideo", "RemoteVideo")},
	"CallType":      {"call_type", words("Group", "P2P", "OneToOne", "OneToN", "TeamsMeeting", "Room", "Meeting", "PSTN")},
}

// attributes are what is kept of an operation's payload. A remote participant is named by the pseudonym it has in this call.
// A failure's reason is kept if it is a single word, as the SDK's codes are.
func (r *record) attributes() map[string]string {
	kept := map[string]string{}
	for name, attribute := range attributeValues {
		if value := attribute.values.of(r.payload(name)); value != "" {
			kept[attribute.key] = value
		}
	}
	if reason := r.payload("FailureReason"); isWord(reason) {
		kept["failure_reason"] = reason
	}
	if remote := r.payload("RemoteParticipantId"); remote != "" && len(remote) <= maxID {
		if isGUID(remote) {
			remote = strings.ToLower(remote)
		}
		kept["remote_participant"] = hex.EncodeToString(r.participantOf(remote))
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// isWord tells a word of code: up to 64 letters, digits and "_", a letter first. No id, address or sentence is one.
func isWord(s string) bool {
	if s == "" || len(s) > 64 || !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '_' {
			return false
		}
	}
	return true
}
