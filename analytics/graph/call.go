package graph

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// Facts are what is known of a call beside what it is judged by.
type Facts struct {
	// Version and Modified tell how much has been said of the call so far, and when the latest was.
	Version  int64
	Modified time.Time
	// JoinURL of the meeting; "" for those who may not have it, and for a call that is of no meeting.
	JoinURL string
	// Organizer is the meeting's, a user of the organisation; nil where there is none.
	Organizer *Identity
}

// Record shows a call without its relations.
func Record(c *analytics.Call, f Facts) CallRecord {
	out := CallRecord{
		ID: c.CallID, Version: f.Version, Type: callType(c.Kind), Modalities: modalities(c.Streams), StartDateTime: c.FirstSeen,
		EndDateTime: c.EndedAt, LastModifiedDateTime: f.Modified,
	}
	if f.JoinURL != "" {
		out.JoinWebURL = &f.JoinURL
	}
	if f.Organizer != nil {
		out.Organizer = &Participant{ID: f.Organizer.ID, Identity: &IdentitySet{User: f.Organizer}}
	}
	return out
}

func callType(kind string) string {
	switch kind {
	case "group", "meeting":
		return "groupCall"
	case "p2p":
		return "peerToPeer"
	}
	return "unknown"
}

// Participants lists who was in the call, everybody once, in order of arrival.
func Participants(c *analytics.Call) []Participant {
	out := make([]Participant, 0, len(c.Participants))
	seen := make(map[string]bool, len(c.Participants))
	for i := range c.Participants {
		set, one := identityOf(&c.Participants[i])
		if !seen[one.ID] {
			seen[one.ID] = true
			out = append(out, Participant{ID: one.ID, Identity: &set})
		}
	}
	return out
}

// identityOf is somebody by the id of the directory if proven to be a user, else by the participant's id, which is of this call only.
func identityOf(p *store.ParticipantFacts) (IdentitySet, Identity) {
	one := Identity{ID: p.ID.String(), DisplayName: analytics.LabelOf(p)}
	switch p.Identity {
	case store.OrgUser:
		if p.UserID != "" {
			one.ID = p.UserID
		}
		return IdentitySet{User: &one}, one
	case store.Service:
		return IdentitySet{Application: &one}, one
	case store.Guest:
	}
	return IdentitySet{Guest: &one}, one
}

// Sessions lists the participants' stays, in order of arrival. Between the two of a call without a server, each is the other's callee.
func Sessions(c *analytics.Call) []Session {
	endpoints := make([]*Endpoint, len(c.Participants))
	for i := range c.Participants {
		endpoints[i] = participantEndpoint(c, &c.Participants[i])
	}
	out := make([]Session, len(c.Participants))
	for i := range c.Participants {
		p := &c.Participants[i]
		callee := serviceEndpoint()
		if c.Kind == "p2p" && len(endpoints) == 2 {
			callee = endpoints[1-i]
		}
		streams := streamsOf(c, p.ID)
		failure := failureOf(p, len(streams) > 0)
		out[i] = Session{
			ID: p.ID.String(), Caller: endpoints[i], Callee: callee, Modalities: modalities(streams), StartDateTime: p.JoinedAt, EndDateTime: p.LeftAt,
			FailureInfo: failure, Segments: []Segment{{
				ID: p.ID.String(), Caller: endpoints[i], Callee: callee, StartDateTime: p.JoinedAt, EndDateTime: p.LeftAt, FailureInfo: failure,
				Media: mediaOf(p, streams),
			}},
		}
	}
	return out
}

func streamsOf(c *analytics.Call, participant uuid.UUID) []store.StreamFacts {
	var out []store.StreamFacts
	for i := range c.Streams {
		if c.Streams[i].ParticipantID == participant {
			out = append(out, c.Streams[i])
		}
	}
	return out
}

// failureOf tells what ended a stay that didn't end as it should have: in set-up if no media came of it.
func failureOf(p *store.ParticipantFacts, hadMedia bool) *Failure {
	if !quality.UnexpectedEnd(p.ResultCategory) {
		return nil
	}
	out := &Failure{Stage: "callSetup", Reason: p.ResultCategory}
	if hadMedia {
		out.Stage = "midcall"
	}
	if p.EndCode != "" {
		out.Reason += " " + p.EndCode
		if p.EndSubCode != "" {
			out.Reason += "/" + p.EndSubCode
		}
	}
	return out
}

func serviceEndpoint() *Endpoint {
	return &Endpoint{
		Type:      "#microsoft.graph.callRecords.serviceEndpoint",
		UserAgent: &UserAgent{Type: "#microsoft.graph.callRecords.serviceUserAgent", Role: "mediationServer"},
	}
}

func participantEndpoint(c *analytics.Call, p *store.ParticipantFacts) *Endpoint {
	set, one := identityOf(p)
	set.Type = "#microsoft.graph.communicationsIdentitySet"
	return &Endpoint{
		Type:      "#microsoft.graph.callRecords.participantEndpoint",
		UserAgent: userAgentOf(c, p),
		Person:    &Person{Identity: &KnownIdentity{set, one}, Feedback: feedbackOf(c.Marks, p.ID)},
	}
}

func userAgentOf(c *analytics.Call, p *store.ParticipantFacts) *UserAgent {
	out := &UserAgent{Type: "#microsoft.graph.callRecords.clientUserAgent", Platform: platform(p), ProductFamily: "unknown"}
	if c.Source.String() == "acs" {
		out.ProductFamily = "azureCommunicationServices"
	}
	if header := p.ClientFamily; header != "" {
		if p.ClientVersion != "" {
			header += "/" + p.ClientVersion
		}
		if p.OSFamily != "" {
			header += " (" + p.OSFamily + ")"
		}
		out.HeaderValue = &header
	}
	return out
}

// platform is one of Graph's clientPlatform. A browser is "web" whatever it runs on.
func platform(p *store.ParticipantFacts) string {
	if strings.EqualFold(p.EndpointType, "browser") {
		return "web"
	}
	switch p.OSFamily {
	case "Windows":
		return "windows"
	case "macOS":
		return "macOS"
	case "iOS":
		return "iOS"
	case "Android":
		return "android"
	}
	return "unknown"
}

// feedbackOf is the participant's latest answer to a survey; nil for none with a score.
func feedbackOf(marks []store.TimelineEntry, participant uuid.UUID) *Feedback {
	for _, e := range slices.Backward(marks) {
		if e.Kind != "survey" || e.ParticipantID != participant {
			continue
		}
		score, upper := number(&e, "overall.score"), number(&e, "overall.upper_bound")
		if _, stars := quality.RateSurveys([]quality.SurveyScore{{Score: score, UpperBound: upper}}); stars.Known {
			names := []string{"bad", "poor", "fair", "good", "excellent"}
			return &Feedback{Rating: names[min(max(int(stars.V+0.5), 1), len(names))-1]}
		}
	}
	return nil
}

// number reads an attribute that is a number; not known if it is missing or none.
func number(e *store.TimelineEntry, key string) quality.Value {
	v, err := strconv.ParseFloat(e.Attributes[key], 64)
	if err != nil {
		return quality.Value{}
	}
	return quality.Of(v)
}
