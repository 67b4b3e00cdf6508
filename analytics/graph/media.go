package graph

import (
	"math"
	"strings"

	"github.com/anteroom/anteroom/store"
)

// kinds of media, in the order in which they are shown: the store's name, the modality and the label.
var kinds = []struct{ media, modality, label string }{
	{"audio", "audio", "main-audio"},
	{"video", "video", "main-video"},
	{"screen", "videoBasedScreenSharing", "applicationsharing-video"},
	{"unknown", "", "unknown"},
}

// modalities of streams; never nil.
func modalities(streams []store.StreamFacts) []string {
	out := []string{}
	for _, kind := range kinds {
		for i := range streams {
			if kind.modality != "" && streams[i].Media == kind.media {
				out = append(out, kind.modality)
				break
			}
		}
	}
	return out
}

// mediaOf groups a participant's streams by their kind. The participant is the caller.
func mediaOf(p *store.ParticipantFacts, streams []store.StreamFacts) []Media {
	out := []Media{}
	for _, kind := range kinds {
		media := Media{Label: kind.label}
		for i := range streams {
			s := &streams[i]
			if s.Media != kind.media {
				continue
			}
			media.Streams = append(media.Streams, streamOf(s))
			if media.CallerNetwork == nil || media.CallerNetwork.NetworkTransportProtocol == unknown {
				media.CallerNetwork = networkOf(p, s)
			}
		}
		if media.Streams != nil {
			out = append(out, media)
		}
	}
	return out
}

const unknown = "unknown"

// networkOf says how a stream travelled. The network that somebody came from is known, and kept, of org users only.
func networkOf(p *store.ParticipantFacts, s *store.StreamFacts) *Network {
	out := &Network{ConnectionType: unknown, NetworkTransportProtocol: unknown}
	if p.Identity == store.OrgUser && p.Network != "" {
		out.Subnet = &p.Network
	}
	switch s.Transport {
	case "udp":
		out.NetworkTransportProtocol = "udp"
	case "tcp", "tls":
		out.NetworkTransportProtocol = "tcp"
	}
	return out
}

func streamOf(s *store.StreamFacts) Stream {
	out := Stream{
		StreamID: s.ID.String(), StreamDirection: directionOf(s.Direction), StartDateTime: s.StartedAt, EndDateTime: s.EndedAt,
		AverageJitter: milliseconds(s.JitterMsAvg), MaxJitter: milliseconds(s.JitterMsMax),
		AveragePacketLossRate: finite(s.LossRatio), MaxPacketLossRate: finite(s.LossRatioMax),
		AverageRoundTripTime: milliseconds(s.RTTMsAvg), MaxRoundTripTime: milliseconds(s.RTTMsMax),
		LossAfterRepair: lossAfterRepair(s), PacketUtilization: whole(s.Packets),
	}
	switch s.Media {
	case "audio":
		codec := audioCodec(s.Codec)
		out.AudioCodec = &codec
		out.AverageConcealed, out.MaxConcealed = finite(s.HealedRatio), finite(s.HealedRatioMax)
	case "video", "screen":
		codec := videoCodec(s.Codec)
		out.VideoCodec = &codec
		out.AverageVideoPacketLoss, out.AverageVideoFrameRate = finite(s.LossRatio), finite(s.FrameRateAvg)
		if s.Direction == "inbound" {
			out.AverageReceivedFrameRate = finite(s.FrameRateAvg)
		}
	}
	return out
}

// directionOf is as seen from the caller, who is the participant; nil where it isn't known.
func directionOf(direction string) *string {
	to := map[string]string{"outbound": "callerToCallee", "inbound": "calleeToCaller"}[direction]
	if to == "" {
		return nil
	}
	return &to
}

// lossAfterRepair is the part of the loss that nothing made up for.
func lossAfterRepair(s *store.StreamFacts) *float64 {
	if finite(s.LossRatio) == nil || s.PacketsLost == nil || s.PacketsRepaired == nil || *s.PacketsLost <= 0 {
		return nil
	}
	lost, repaired := float64(*s.PacketsLost), float64(*s.PacketsRepaired)
	left := *s.LossRatio * min(max((lost-repaired)/lost, 0), 1)
	return &left
}

// audioCodec and videoCodec are of Graph's closed sets, to which VP8 and VP9 do not belong.
func audioCodec(codec string) string {
	switch c := strings.ToLower(codec); c {
	case "opus", "g722", "pcma", "pcmu", "cn", "satin", "silk":
		return c
	}
	return unknown
}

func videoCodec(codec string) string {
	switch c := strings.ToLower(codec); c {
	case "av1", "h264", "h265":
		return c
	case "av1x":
		return "av1"
	case "hevc":
		return "h265"
	}
	return unknown
}

// finite drops what JSON can't write.
func finite(v *float64) *float64 {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
		return nil
	}
	return v
}

func whole(n *uint64) *int64 {
	if n == nil {
		return nil
	}
	out := int64(min(*n, math.MaxInt64)) //nolint:gosec // clipped
	return &out
}
