package acs

import (
	"strconv"
	"strings"

	"github.com/anteroom/anteroom/ingest/label"
)

// participantKey is what tells a participant from the others of its call: the id of its leg, or, in calls of two where Azure gives
// none, its endpoint or else its user. It is hashed before it goes anywhere. "" when nothing is known or all of it is redacted.
func (r *record) participantKey() string {
	// Azure's own queries leave out rows whose participant id is the call id: they stand for the call.
	if id := r.id("participantId"); id != "" && id != r.call {
		return id
	}
	if id := r.id("endpointId"); id != "" {
		return id
	}
	return r.id("identifier")
}

// participantOf is the pseudonym of a key; nil for "".
func (r *record) participantOf(key string) []byte {
	if key == "" {
		return nil
	}
	return r.opt.Pseudonyms.ID(label.Participant, r.call, key)
}

// recordingBot is the identifier of the bot that records Teams meetings.
const recordingBot = "b1902c3e-b9f7-4650-9b23-5772bd429747"

// endpointTypes are ours by Azure's.
var endpointTypes = map[string]string{
	"voip": "voip", "pstn": "pstn", "bot": "bot", "server": "server",
}

// endpointType tells what a participant is connected with.
func (r *record) endpointType() string {
	if id := strings.ToLower(r.text("identifier")); id == recordingBot || strings.HasSuffix(id, ":"+recordingBot) {
		return "bot"
	}
	if t := endpointTypes[strings.ToLower(r.text("endpointType"))]; t != "" {
		return t
	}
	return "unknown"
}

// client reduces the version of the SDK ("1.32.1.0_stable") to its first two numbers. Other clients write other things there.
func (r *record) client() (family, version, os string) {
	os = label.ReduceUserAgent(r.text("osVersion")).OS
	parts := strings.SplitN(r.text("sdkVersion"), ".", 3)
	if len(parts) < 2 || !isVersion(parts[0]) || !isVersion(parts[1]) {
		return "", "", os
	}
	return "ACS Calling SDK", parts[0] + "." + parts[1], os
}

func isVersion(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil && len(s) <= 4
}
