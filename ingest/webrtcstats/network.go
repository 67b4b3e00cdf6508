package webrtcstats

import (
	"strings"

	"github.com/anteroom/anteroom/event/eventpb"
)

// path is how the packets of a stream travel, as far as the client can see.
type path struct {
	local, remote eventpb.CandidateType
	transport     string // "udp", "tcp", "tls" or ""
	known         bool
}

func (p path) or(old path) path {
	if p.known {
		return p
	}
	return old
}

// view is the statistics of one peer connection at one time, with what streams share looked up once.
type view struct {
	reports  map[string]*Report
	fallback *Report // the pair in use where transports don't say
	found    bool
	// Mean round-trip time by RTCP of all that is sent, ms.
	rtcpRTT mean
}

// pair is the candidate pair in use: what the transport of the stream selected, else (Firefox) the one marked selected, else
// the nominated one that succeeded, with the most bytes where several are.
func (v *view) pair(transportID string) *Report {
	if p := v.reports[v.reports[transportID].text(textSelectedPairID)]; p != nil {
		return p
	}
	if !v.found {
		v.found = true
		var best, chosen string
		for id, r := range v.reports {
			switch r.kind() {
			case "transport":
				sel := r.text(textSelectedPairID)
				if v.reports[sel] != nil && (chosen == "" || sel < chosen) {
					chosen = sel
				}
			case "candidate-pair":
				if best == "" || better(v.reports, id, best) {
					best = id
				}
			}
		}
		if chosen != "" {
			best = chosen
		} else if b := v.reports[best]; b != nil && rank(b) == 0 {
			best = ""
		}
		v.fallback = v.reports[best]
	}
	return v.fallback
}

func rank(r *Report) int {
	switch state := r.text(textState); {
	case r.flag(numSelected):
		return 3
	case r.flag(numNominated) && state == "succeeded":
		return 2
	case r.flag(numNominated) && state == "" || r.flag(numWritable) && state == "succeeded":
		return 1
	}
	return 0
}

// better orders pairs totally, so that the answer does not hang on the order of a map.
func better(reports map[string]*Report, a, b string) bool {
	ra, rb := reports[a], reports[b]
	if x, y := rank(ra), rank(rb); x != y {
		return x > y
	}
	if x, y := pairBytes(ra), pairBytes(rb); x != y {
		return x > y
	}
	return a < b
}

func pairBytes(r *Report) float64 {
	sent, _ := r.counter(numBytesSent)
	received, _ := r.counter(numBytesReceived)
	return sent + received
}

func (v *view) path(pair *Report) path {
	if pair == nil {
		return path{}
	}
	local, remote := v.reports[pair.text(textLocalCandidateID)], v.reports[pair.text(textRemoteCandidateID)]
	p := path{local: candidateType(local), remote: candidateType(remote), transport: transportName(local)}
	p.known = p.local != 0 || p.remote != 0
	return p
}

func candidateType(r *Report) eventpb.CandidateType {
	switch r.text(textCandidateType) {
	case "host":
		return eventpb.CandidateType_CANDIDATE_TYPE_HOST
	case "srflx", "serverreflexive":
		return eventpb.CandidateType_CANDIDATE_TYPE_SRFLX
	case "prflx", "peerreflexive":
		return eventpb.CandidateType_CANDIDATE_TYPE_PRFLX
	case "relay", "relayed":
		return eventpb.CandidateType_CANDIDATE_TYPE_RELAY
	}
	return eventpb.CandidateType_CANDIDATE_TYPE_UNSPECIFIED
}

// transportName is the protocol between client and network: for a relayed candidate that to the relay, since the candidate's
// own is what the relay speaks beyond. Safari tells it by the relay's URL only.
func transportName(local *Report) string {
	if candidateType(local) == eventpb.CandidateType_CANDIDATE_TYPE_RELAY {
		url := strings.ToLower(local.text(textURL))
		switch {
		case local.text(textRelayProtocol) != "":
			return protocolName(local.text(textRelayProtocol))
		case strings.HasPrefix(url, "turns:") && !strings.Contains(url, "transport=udp"):
			return "tls"
		case strings.Contains(url, "transport=tcp"):
			return "tcp"
		}
	}
	return protocolName(local.text(textProtocol))
}

func protocolName(s string) string {
	switch p := strings.ToLower(s); p {
	case "udp", "tcp", "tls":
		return p
	}
	return ""
}
