package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ParseInput reads an input from JSON that somebody else made. It takes nothing but the fields that there are, with the values that they can have, so that
// no text of anybody's own gets in. An unknown capability is refused too.
func ParseInput(text []byte) (Input, error) {
	var in Input
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return Input{}, errors.New("the input has not the form of input.schema.json")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Input{}, errors.New("there is more after the input")
	}
	err := in.check()
	return in, err
}

func (in *Input) check() error {
	one := func(field, value string, of ...string) error {
		if !slices.Contains(of, value) {
			return fmt.Errorf("input.%s: is none of its values", field)
		}
		return nil
	}
	bypass := []string{
		string(BypassInherit), string(BypassEveryone), string(BypassOrgUsers), string(BypassInvited), string(BypassOrganizers),
	}
	errs := []error{
		one("action", string(in.Action), string(ActionJoin), string(ActionUse)),
		one("organization.kind", in.Organization.Kind, "work", "personal"),
		one("organization.lobby_bypass", string(in.Organization.LobbyBypass), bypass...),
		one("meeting.kind", in.Meeting.Kind, "scheduled", "channel", "webinar", "live_event", "guest_call"),
		one("meeting.organizer_lobby_bypass", string(in.Meeting.OrganizerLobbyBypass), bypass...),
		one("meeting.lobby_bypass", string(in.Meeting.LobbyBypass), bypass...),
		one("participant.kind", in.Participant.Kind, "guest", "org_user"),
		one("participant.state", in.Participant.State, "new", "waiting_for_host", "in_lobby", "admitted", "gone"),
	}
	known := Capabilities()
	for field, list := range map[string][]Capability{
		"organization.withdrawn": in.Organization.Withdrawn, "meeting.withdrawn": in.Meeting.Withdrawn, "meeting.organizer_withdrawn": in.Meeting.OrganizerWithdrawn,
	} {
		if slices.ContainsFunc(list, func(c Capability) bool { return !slices.Contains(known, c) }) {
			errs = append(errs, fmt.Errorf("input.%s: has what is no capability", field))
		}
		if len(list) > len(known) {
			errs = append(errs, fmt.Errorf("input.%s: has more elements than there are capabilities", field))
		}
	}
	if (in.Action == ActionUse) != slices.Contains(known, in.Capability) || (in.Action == ActionJoin && in.Capability != "") {
		errs = append(errs, errors.New("input.capability: is a capability where the action is use, and empty otherwise"))
	}
	return errors.Join(errs...)
}
