package webrtcstats

import (
	"strconv"
	"strings"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
)

const (
	unexpectedError = "UnexpectedClientError"
	expectedError   = "ExpectedError"
	succeeded       = "Succeeded"
	stateFailed     = "failed"

	nameICE        = "iceConnectionState"
	nameConnection = "connectionState"
)

// Devices are what an application asked for, or got, from getUserMedia.
type Devices struct{ Audio, Video bool }

// state brings a state to the standard's words; others are not of the closed set and give "".
func state(raw string) string {
	s := strings.ToLower(strings.Trim(raw, `"`))
	s = strings.TrimPrefix(s, "iceconnectionstate") // ICEConnectionStateConnected: Chrome's older logs
	switch s {
	case "new", "checking", "connecting", "connected", "completed", "disconnected", stateFailed, "closed":
		return s
	}
	return ""
}

// ICEState notes a change of a peer connection's ICE connection state.
func (c *Call) ICEState(pc, raw string, at float64) error {
	p, err := c.peer(pc)
	s := state(raw)
	if err != nil || s == "" {
		return err
	}
	p.iceSeen, p.state = true, s
	c.reconnect(pc, s, at)
	return c.stateChange(pc, nameICE, s, "", at)
}

// ConnectionState notes a change of a peer connection's state. A connection that fails is an operation that went wrong.
func (c *Call) ConnectionState(pc, raw string, at float64) error {
	p, err := c.peer(pc)
	s := state(raw)
	if err != nil || s == "" {
		return err
	}
	p.connSeen, p.state = true, s
	if !p.iceSeen {
		c.reconnect(pc, s, at)
	}
	result := ""
	if s == stateFailed {
		result = unexpectedError
	}
	return c.stateChange(pc, nameConnection, s, result, at)
}

// DTLSFailed notes that a peer connection could not agree on keys.
func (c *Call) DTLSFailed(pc string, at float64) error {
	return c.stateChange(pc, "dtlsState", stateFailed, unexpectedError, at)
}

// Closed notes that the application closed a peer connection: nothing is waited for any more.
func (c *Call) Closed(pc string, at float64) error {
	if p := c.peers[pc]; p != nil {
		p.state = "closed"
	}
	delete(c.ranges, "networkReconnect\x00"+pc)
	return c.Happened(at)
}

func (c *Call) stateChange(pc, name, s, result string, at float64) error {
	if err := c.Happened(at); err != nil {
		return err
	}
	return c.operation(pc, &eventpb.ClientOperation{
		Name: name, Lane: eventpb.Lane_LANE_NETWORK, Result: result, Attributes: map[string]string{"new_state": s},
	}, at)
}

// reconnect keeps the range in which media cannot flow: from disconnected or failed until connected again.
func (c *Call) reconnect(pc, s string, at float64) {
	switch s {
	case "disconnected", stateFailed:
		c.open("networkReconnect", pc, "Bad", eventpb.Lane_LANE_NETWORK, at)
	case "connected", "completed":
		c.shut("networkReconnect", pc, "Good", eventpb.Lane_LANE_NETWORK, at)
	}
}

func (c *Call) open(name, scope, value string, lane eventpb.Lane, at float64) {
	key := name + "\x00" + scope
	if c.ranges[key] != nil {
		return
	}
	c.ranged++
	c.ranges[key] = c.opt.Pseudonyms.ID(label.Operation, c.id, name, scope, strconv.Itoa(c.ranged))
	c.diagnostic(name, value, lane, c.ranges[key], at)
}

func (c *Call) shut(name, scope, value string, lane eventpb.Lane, at float64) {
	key := name + "\x00" + scope
	if id := c.ranges[key]; id != nil {
		delete(c.ranges, key)
		c.diagnostic(name, value, lane, id, at)
	}
}

func (c *Call) diagnostic(name, value string, lane eventpb.Lane, id []byte, at float64) {
	if !ValidMs(at) || len(c.notes) >= MaxNotes {
		return // the operation beside it, or the next line, reports why
	}
	c.notes = append(c.notes, note{at: at, payload: &eventpb.Event{Payload: &eventpb.Event_ClientDiagnostic{
		ClientDiagnostic: &eventpb.ClientDiagnostic{
			ParticipantId: c.participant, Name: name, Value: value, Lane: lane, OperationId: id,
		},
	}}})
}

func (c *Call) operation(pc string, op *eventpb.ClientOperation, at float64) error {
	if !ValidMs(at) {
		return ErrTime
	}
	if len(c.notes) >= MaxNotes {
		return ErrTooManyNotes
	}
	op.ParticipantId = c.participant
	c.ranged++
	op.OperationId = c.opt.Pseudonyms.ID(label.Operation, c.id, op.Name, strconv.Itoa(c.ranged))
	c.notes = append(c.notes, note{at: at, pc: pc, payload: &eventpb.Event{Payload: &eventpb.Event_ClientOperation{ClientOperation: op}}})
	return nil
}

// Failed notes that a step of setting up a connection went wrong ("setRemoteDescription").
func (c *Call) Failed(name string, at float64) error {
	return c.operation("", &eventpb.ClientOperation{Name: name, Lane: eventpb.Lane_LANE_CALL, Result: unexpectedError}, at)
}

// DevicesAsked notes a request for microphone or camera; a failure that follows is one of these.
func (c *Call) DevicesAsked(d Devices) { c.asked = d }

// DevicesGranted ends the diagnostics of what works now.
func (c *Call) DevicesGranted(d Devices, at float64) error {
	if !ValidMs(at) {
		return ErrTime
	}
	for _, name := range diagnosticNames(d) {
		c.shut(name, "", "False", deviceLane(name), at)
	}
	return nil
}

func diagnosticNames(d Devices) []string {
	var names []string
	if d.Audio {
		names = append(names, "microphonePermissionDenied", "noMicrophoneDevicesEnumerated", "microphoneNotFunctioning")
	}
	if d.Video {
		names = append(names, "cameraPermissionDenied", "cameraStartTimedOut", "cameraStartFailed")
	}
	return names
}

func deviceLane(name string) eventpb.Lane {
	if strings.HasPrefix(name, "camera") {
		return eventpb.Lane_LANE_VIDEO
	}
	return eventpb.Lane_LANE_AUDIO
}

// DevicesFailed turns the DOMException that refused the last request into diagnostics. Where camera and microphone were
// asked for together, a refused permission concerns both and any other error the camera, the likelier of the two.
func (c *Call) DevicesFailed(exception string, at float64) error {
	if !ValidMs(at) {
		return ErrTime
	}
	audio, video := c.asked.Audio, c.asked.Video
	var names []string
	add := func(when bool, name string) {
		if when {
			names = append(names, name)
		}
	}
	switch exceptionName(exception) {
	case "NotAllowedError", "PermissionDeniedError", "PermissionDismissedError", "SecurityError":
		add(video, "cameraPermissionDenied")
		add(audio, "microphonePermissionDenied")
	case "NotFoundError", "DevicesNotFoundError":
		add(video, "cameraStartFailed")
		add(audio && !video, "noMicrophoneDevicesEnumerated")
	case "TimeoutError":
		add(video, "cameraStartTimedOut")
		add(audio && !video, "microphoneNotFunctioning")
	default:
		add(video, "cameraStartFailed")
		add(audio && !video, "microphoneNotFunctioning")
	}
	for _, name := range names {
		c.open(name, "", "True", deviceLane(name), at)
	}
	return nil
}

// exceptionName is the first word of "NotAllowedError: Permission denied".
func exceptionName(s string) string {
	s = strings.Trim(s, `" `)
	if i := strings.IndexAny(s, ": "); i >= 0 {
		s = s[:i]
	}
	return s
}

// ScreenGranted notes that sharing a screen began, and the ids of its tracks.
func (c *Call) ScreenGranted(trackIDs []string, at float64) error {
	if !ValidMs(at) {
		return ErrTime
	}
	for _, id := range trackIDs {
		if id != "" && len(id) <= maxText && len(c.screenTracks) < MaxStreams {
			c.screenTracks[id] = true
		}
	}
	c.shut("capturerStartFailed", "", "False", eventpb.Lane_LANE_SCREEN, at)
	return c.operation("", &eventpb.ClientOperation{Name: "startScreenShare", Lane: eventpb.Lane_LANE_SCREEN, Result: succeeded}, at)
}

// ScreenFailed notes that sharing a screen did not begin. Refusing is the user's right and no fault.
func (c *Call) ScreenFailed(exception string, at float64) error {
	result := unexpectedError
	switch exceptionName(exception) {
	case "NotAllowedError", "PermissionDeniedError", "AbortError":
		result = expectedError
	default:
		c.open("capturerStartFailed", "", "True", eventpb.Lane_LANE_SCREEN, at)
	}
	return c.operation("", &eventpb.ClientOperation{Name: "startScreenShare", Lane: eventpb.Lane_LANE_SCREEN, Result: result}, at)
}

// ScreenSSRC notes that the application says of an SSRC that it carries a screen.
func (c *Call) ScreenSSRC(ssrc uint32) {
	if len(c.screenSSRC) < MaxStreams {
		c.screenSSRC[ssrc] = true
	}
}

// finishStates lets a failure of ICE be the operation that went wrong where the browser didn't report connection states.
func (c *Call) finishStates() {
	for _, n := range c.notes {
		op := n.payload.GetClientOperation()
		if op.GetName() == nameICE && op.GetAttributes()["new_state"] == stateFailed && !c.peers[n.pc].connSeen {
			op.Result = unexpectedError
		}
	}
}
