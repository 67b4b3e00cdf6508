package meeting

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/media/protocol"
)

// Kinds of clients.
const (
	clientBrowser    = "browser"
	clientNative     = "native"
	clientBot        = "bot"
	clientRoomDevice = "room_device"
)

// maxClientText is the length of a part of ClientInfo in characters.
const maxClientText = 32

// checkEntrant refuses what can't be shown, and trims what can.
func checkEntrant(e *Entrant) error {
	e.DisplayName = strings.TrimSpace(e.DisplayName)
	switch {
	case !e.OrgUser && !protocol.ValidName(e.DisplayName):
		return &protocol.Error{
			Reason: protocol.ReasonInvalidName, Field: "display_name",
			Message: "Choose a name of 1 to 256 characters that can be seen, without characters that control how text is shown.",
		}
	case e.OrgUser && !protocol.ValidName(e.DisplayName):
		e.DisplayName = e.UserID // the issuer's name can't be shown
	}
	if !e.OrgUser && (!event.ValidRegion(e.Region) || e.Resource == "") {
		return refusal(protocol.ReasonInternal) // where its copies of chat would have to be isn't known
	}
	switch e.Client.Kind {
	case "":
		e.Client.Kind = clientBrowser
	case clientBrowser, clientNative, clientBot:
	case clientRoomDevice:
		if !e.OrgUser {
			return invalid("client.kind", "Only devices of the organisation join as room devices. Say browser, native or bot.")
		}
	default:
		return invalid("client.kind", "Say browser, native, bot or room_device.")
	}
	for field, value := range map[string]string{"client.family": e.Client.Family, "client.version": e.Client.Version, "client.os": e.Client.OS} {
		if utf8.RuneCountInString(value) > maxClientText {
			return invalid(field, "Use at most 32 characters.")
		}
	}
	return nil
}

// endpointType is the event contract's word for a kind of client.
func endpointType(kind string) string {
	if kind == clientNative {
		return "voip"
	}
	return kind
}

// What clients say of themselves is recorded only as one of these names, so that nothing personal gets into events.
func clientFamilies() []string {
	return []string{
		"Chrome", "Chromium", "Edge", "Firefox", "Safari", "Opera", "Samsung Internet", "Electron", "WebView", "Anteroom", "pion",
	}
}

func clientSystems() []string {
	return []string{"Windows", "macOS", "Linux", "Android", "iOS", "iPadOS", "ChromeOS"}
}

// oneOf is the name of the set that s is, "other" for anything else, "" for nothing.
func oneOf(s string, set []string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	i := slices.IndexFunc(set, func(name string) bool { return strings.EqualFold(name, s) })
	if i < 0 {
		return "other"
	}
	return set[i]
}

// majorVersion is the number that a version begins with, "" for none.
func majorVersion(v string) string {
	end := strings.IndexFunc(v, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		v = v[:end]
	}
	if len(v) > 5 {
		return ""
	}
	return v
}
