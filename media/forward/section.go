package forward

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pion/sdp/v3"

	"github.com/anteroom/anteroom/media/protocol"
)

// section is one media section of a member's offers: its layers outlive the tracks that are published there one after the other.
type section struct {
	publisher *publisher
	mid       string
	audio     bool
	track     atomic.Pointer[track]
	// sending is what the newest offer that sent said of simulcast layers; for who holds the publisher's negotiation.
	sending []sdp.Attribute

	mu     sync.Mutex
	layers []*layer
}

func (s *section) list() []*layer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.layers
}

// add takes a layer in; one of the same rid or, without rids, any is replaced: the client began anew.
func (s *section) add(l *layer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := []*layer{l}
	for _, other := range s.layers {
		if other.rid != l.rid {
			next = append(next, other)
		}
	}
	s.layers = next
}

// Errors of Publish that are the client's; all others are the server's.
var (
	// ErrInvalidSDP: the offer or answer, or what was said beside it, can't be used.
	ErrInvalidSDP = errors.New("invalid session description")
	// ErrTooManyTracks: more sections or tracks than one member may have.
	ErrTooManyTracks = errors.New("too many tracks")
)

// maxSections bounds what a client can make the server keep: sections are never given back within a connection.
const maxSections = 64

// offered is what the server needs of a media section of an offer.
type offered struct {
	mid   string
	media string // "audio" or "video"
	sends bool
}

// readOffer checks a publishing offer before pion sees it.
func readOffer(text string) (session string, sections []offered, err error) {
	invalid := func(format string, args ...any) (string, []offered, error) {
		return "", nil, fmt.Errorf("%w: %s", ErrInvalidSDP, fmt.Sprintf(format, args...))
	}
	if len(text) > protocol.MaxSDPBytes {
		return invalid("longer than %d bytes", protocol.MaxSDPBytes)
	}
	var description sdp.SessionDescription
	if err := description.UnmarshalString(text); err != nil {
		return invalid("does not parse")
	}
	if len(description.MediaDescriptions) == 0 {
		return invalid("no media section")
	}
	if len(description.MediaDescriptions) > maxSections {
		return "", nil, fmt.Errorf("%w: more than %d media sections", ErrTooManyTracks, maxSections)
	}
	seen := map[string]bool{}
	for i, m := range description.MediaDescriptions {
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		switch {
		case mid == "" || len(mid) > 32:
			return invalid("section %d has no mid of 1 to 32 characters", i)
		case seen[mid]:
			return invalid("two sections with the same mid")
		case m.MediaName.Media != "audio" && m.MediaName.Media != "video":
			return invalid("section %d is neither audio nor video", i)
		}
		seen[mid] = true
		sections = append(sections, offered{mid: mid, media: m.MediaName.Media, sends: sends(&description, m)})
	}
	return fmt.Sprintf("%s %d", description.Origin.Username, description.Origin.SessionID), sections, nil
}

// sends tells whether the far end sends in a section.
func sends(description *sdp.SessionDescription, m *sdp.MediaDescription) bool {
	_, bundleOnly := m.Attribute("bundle-only")
	if m.MediaName.Port.Value == 0 && !bundleOnly {
		return false
	}
	has := func(name string) bool { _, ok := m.Attribute(name); return ok }
	switch {
	case has(sdp.AttrKeySendOnly), has(sdp.AttrKeySendRecv):
		return true
	case has(sdp.AttrKeyRecvOnly), has(sdp.AttrKeyInactive):
		return false
	}
	// Without a word in the section the session's counts, and sendrecv where that has none either.
	for _, name := range []string{sdp.AttrKeyRecvOnly, sdp.AttrKeyInactive} {
		if _, ok := description.Attribute(name); ok {
			return false
		}
	}
	return true
}

// readIntents checks what a client says beside its offer.
func readIntents(intents []Intent, sections []offered) (map[string]Intent, error) {
	media := map[string]string{}
	for _, s := range sections {
		media[s.mid] = s.media
	}
	byMid := map[string]Intent{}
	for _, intent := range intents {
		of, ok := media[intent.Mid]
		if !ok {
			return nil, fmt.Errorf("%w: a track's mid is not in the offer", ErrInvalidSDP)
		}
		if _, twice := byMid[intent.Mid]; twice {
			return nil, fmt.Errorf("%w: two tracks with the same mid", ErrInvalidSDP)
		}
		if (of == "audio") != (intent.Kind == Audio) || !intent.Kind.known() {
			return nil, fmt.Errorf("%w: a track's kind does not fit its section", ErrInvalidSDP)
		}
		byMid[intent.Mid] = intent
	}
	return byMid, nil
}

func (k Kind) known() bool { return k == Audio || k == Video || k == Screen }

// hasCodec tells whether a section of a session description (an answer) accepts the codec.
func hasCodec(m *sdp.MediaDescription, codec *codecInfo) bool {
	for _, attribute := range m.Attributes {
		if attribute.Key != "rtpmap" {
			continue
		}
		payload, rest, _ := strings.Cut(attribute.Value, " ")
		name, _, _ := strings.Cut(rest, "/")
		if !strings.EqualFold(name, codec.name) {
			continue
		}
		line := ""
		for _, other := range m.Attributes {
			if of, value, _ := strings.Cut(other.Value, " "); other.Key == "fmtp" && of == payload {
				line = value
			}
		}
		if sameProfile(codec.mime, line, codec.fmtp) {
			return true
		}
	}
	return false
}
