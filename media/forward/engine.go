package forward

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/transport/v5/packetio"
	"github.com/pion/webrtc/v4"
)

// Header extensions that are read or written here.
const (
	extAudioLevel  = sdp.AudioLevelURI
	extTransportCC = sdp.TransportCCURI
	extAbsSendTime = sdp.ABSSendTimeURI
	extRotation    = "urn:3gpp:video-orientation"
)

// Codecs by MIME type, in lower case as they are compared.
const (
	mimeOpus = "audio/opus"
	mimeRED  = "audio/red"
	mimeVP8  = "video/vp8"
	mimeVP9  = "video/vp9"
	mimeH264 = "video/h264"
	mimeAV1  = "video/av1"
)

// audioCodecs are Opus and its redundant form, RFC 2198: blocks of Opus, passed through.
func audioCodecs() []webrtc.RTPCodecParameters {
	feedback := []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBTransportCC}}
	return []webrtc.RTPCodecParameters{
		{
			PayloadType: 111,
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1", RTCPFeedback: feedback,
			},
		},
		{
			PayloadType: 63,
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: "audio/red", ClockRate: 48000, Channels: 2, SDPFmtpLine: "111/111", RTCPFeedback: feedback,
			},
		},
	}
}

// videoCodecs are those that browsers send, each followed by its retransmissions.
func videoCodecs() []webrtc.RTPCodecParameters {
	feedback := []webrtc.RTCPFeedback{
		{Type: webrtc.TypeRTCPFBGoogREMB},
		{Type: webrtc.TypeRTCPFBTransportCC},
		{Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"},
		{Type: webrtc.TypeRTCPFBNACK},
		{Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"},
	}
	var all []webrtc.RTPCodecParameters
	for _, codec := range []struct {
		payload    webrtc.PayloadType
		mime, fmtp string
	}{
		{96, webrtc.MimeTypeVP8, ""},
		{98, webrtc.MimeTypeVP9, "profile-id=0"},
		{100, webrtc.MimeTypeVP9, "profile-id=2"},
		{102, webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"},
		{104, webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f"},
		{106, webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
		{108, webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"},
		{112, webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"},
		{114, webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"},
		{45, webrtc.MimeTypeAV1, ""},
	} {
		all = append(all,
			webrtc.RTPCodecParameters{
				PayloadType: codec.payload,
				RTPCodecCapability: webrtc.RTPCodecCapability{
					MimeType: codec.mime, ClockRate: 90000, SDPFmtpLine: codec.fmtp, RTCPFeedback: feedback,
				},
			},
			webrtc.RTPCodecParameters{
				PayloadType: codec.payload + 1,
				RTPCodecCapability: webrtc.RTPCodecCapability{
					MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", codec.payload),
				},
			})
	}
	return all
}

// newMediaEngine knows all codecs; extensions are per side, since what the server does not rewrite (the dependency descriptor) must not be
// negotiated.
func newMediaEngine(side Side) (*webrtc.MediaEngine, error) {
	engine := &webrtc.MediaEngine{}
	for _, codec := range audioCodecs() {
		if err := engine.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("register %s: %w", codec.MimeType, err)
		}
	}
	for _, codec := range videoCodecs() {
		if err := engine.RegisterCodec(codec, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, fmt.Errorf("register %s: %w", codec.MimeType, err)
		}
	}
	both := []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo}
	extensions := map[string][]webrtc.RTPCodecType{
		sdp.SDESMidURI: both,
		extTransportCC: both,
		extAbsSendTime: both,
		extAudioLevel:  both[:1],
		extRotation:    both[1:],
	}
	if side == PublishSide {
		extensions[sdp.SDESRTPStreamIDURI] = both[1:]
		extensions[sdp.SDESRepairRTPStreamIDURI] = both[1:]
	}
	// In a fixed order, so that ids are the same in every offer.
	for _, uri := range []string{
		sdp.SDESMidURI, extTransportCC, extAbsSendTime, extAudioLevel, extRotation, sdp.SDESRTPStreamIDURI, sdp.SDESRepairRTPStreamIDURI,
	} {
		for _, kind := range extensions[uri] {
			if err := engine.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind); err != nil {
				return nil, fmt.Errorf("register header extension: %w", err)
			}
		}
	}
	return engine, nil
}

// engine is what the connections of one side are made by.
type engine struct {
	media    *webrtc.MediaEngine
	settings webrtc.SettingEngine
	// allowed tells which addresses can be a client's.
	allowed func(netip.Addr) bool
}

// buffers make room for what comes for one SSRC.
type buffers func(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser

// api makes a connection with buffers and interceptors of its own; pion copies the rest. Requests for what was lost, transport-wide feedback, reports and
// retransmissions are this package's, after and before all of its bookkeeping, for less work per packet and because pion's NACK generator
// doesn't see what an RTX stream repaired.
func (e *engine) api(buffers buffers, interceptors ...interceptor.Factory) *webrtc.API {
	registry := &interceptor.Registry{}
	for _, one := range interceptors {
		registry.Add(one)
	}
	settings := e.settings
	settings.BufferFactory = buffers
	settings.SetRemoteIPFilter(sources(e.allowed))
	return webrtc.NewAPI(webrtc.WithMediaEngine(e.media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings))
}

func newEngine(cfg Config, sockets *sockets, side Side, allowed func(netip.Addr) bool, adjust func(*webrtc.SettingEngine)) (*engine, error) {
	media, err := newMediaEngine(side)
	if err != nil {
		return nil, err
	}
	settings := webrtc.SettingEngine{LoggerFactory: quiet()}
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetSRTPReplayProtectionWindow(512)
	settings.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	settings.SetIncludeLoopbackCandidate(cfg.Loopback)
	// Clients connect to the server. It must not to addresses that they name.
	settings.DisableActiveTCP(true)
	settings.SetFireOnTrackBeforeFirstRTP(false)
	if sockets != nil {
		settings.SetICEUDPMux(sockets.udp)
		networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
		if sockets.tcp != nil {
			settings.SetICETCPMux(sockets.tcp)
			networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
		}
		settings.SetNetworkTypes(networks)
	}
	if len(cfg.PublicAddresses) > 0 {
		rule := webrtc.ICEAddressRewriteRule{
			External: cfg.PublicAddresses, AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace,
		}
		if err := settings.SetICEAddressRewriteRules(rule); err != nil {
			return nil, fmt.Errorf("set public addresses: %w", err)
		}
	}
	if adjust != nil {
		adjust(&settings)
	}
	return &engine{media: media, settings: settings, allowed: allowed}, nil
}

// sameProfile compares what decides whether a decoder can take a stream.
func sameProfile(mime, a, b string) bool {
	switch mime {
	case mimeVP9:
		return fmtp(a, "profile-id", "0") == fmtp(b, "profile-id", "0")
	case mimeH264:
		// The first four digits are the profile with its constraints, the last two a level, which may differ.
		profile := func(line string) string {
			id := strings.ToLower(fmtp(line, "profile-level-id", "42001f"))
			return id[:min(4, len(id))]
		}
		return profile(a) == profile(b) && fmtp(a, "packetization-mode", "0") == fmtp(b, "packetization-mode", "0")
	}
	return true
}

// fmtp is one parameter of a format line.
func fmtp(line, key, otherwise string) string {
	for part := range strings.SplitSeq(line, ";") {
		if name, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok && strings.EqualFold(name, key) {
			return value
		}
	}
	return otherwise
}
