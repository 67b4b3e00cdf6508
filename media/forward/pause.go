package forward

import (
	"fmt"
	"slices"

	"github.com/pion/sdp/v3"
)

// isLayer: the attribute says, in a section that sends, what its layers are known by.
func isLayer(key string) bool {
	return key == "rid" || key == "simulcast" || key == sdp.AttrKeySSRC || key == sdp.AttrKeySSRCGroup || key == sdp.AttrKeyMsid
}

// keepLayers gives an offer as pion is to see it: a section with simulcast layers that stops sending goes on as if it sent, and answered as
// inactive. pion would give up its receiver with the layers, and could not find them again: browsers name the layer in a packet (RFC 8852)
// only until they know that the receiver has learned which SSRC it is, and don't begin anew when the section sends again.
//
// The negotiation is held. The set has the mids of the sections that are kept.
func (p *publisher) keepLayers(text string, sections []offered) (string, map[string]bool, error) {
	var description sdp.SessionDescription
	if err := description.UnmarshalString(text); err != nil {
		return "", nil, fmt.Errorf("%w: does not parse", ErrInvalidSDP)
	}
	kept := map[string]bool{}
	for i, o := range sections {
		m := description.MediaDescriptions[i]
		p.mu.Lock()
		s := p.sections[o.mid]
		p.mu.Unlock()
		switch _, simulcast := m.Attribute("simulcast"); {
		case o.sends && simulcast:
			s.sending = slices.DeleteFunc(slices.Clone(m.Attributes), func(a sdp.Attribute) bool { return !isLayer(a.Key) })
		case o.sends, m.MediaName.Port.Value == 0:
			s.sending = nil
		case s.sending != nil:
			m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool {
				return isDirection(a.Key) || isLayer(a.Key)
			})
			m.Attributes = append(append(m.Attributes, s.sending...), sdp.NewPropertyAttribute(sdp.AttrKeySendOnly))
			kept[o.mid] = true
		}
	}
	if len(kept) == 0 {
		return text, nil, nil
	}
	changed, err := description.Marshal()
	if err != nil {
		return "", nil, fmt.Errorf("%w: can't be written again", ErrInvalidSDP)
	}
	return string(changed), kept, nil
}

// answerInactive makes pion's answer one to what was really offered. The layers stay in it: a browser gives up for good those that an answer leaves out.
func answerInactive(text string, kept map[string]bool) (string, error) {
	if len(kept) == 0 {
		return text, nil
	}
	var description sdp.SessionDescription
	if err := description.UnmarshalString(text); err != nil {
		return "", fmt.Errorf("read own answer: %w", err)
	}
	for _, m := range description.MediaDescriptions {
		if mid, _ := m.Attribute(sdp.AttrKeyMID); !kept[mid] {
			continue
		}
		m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool { return isDirection(a.Key) })
		m.Attributes = append(m.Attributes, sdp.NewPropertyAttribute(sdp.AttrKeyInactive))
	}
	changed, err := description.Marshal()
	if err != nil {
		return "", fmt.Errorf("write own answer: %w", err)
	}
	return string(changed), nil
}

func isDirection(key string) bool {
	return key == sdp.AttrKeySendOnly || key == sdp.AttrKeySendRecv || key == sdp.AttrKeyRecvOnly || key == sdp.AttrKeyInactive
}
