package quality

import (
	"encoding/json"
	"math"
	"strings"
)

// MOSFormula names the formula of EstimateMOS and its version. Any change that
// changes a score changes the version.
const MOSFormula = "emodel-simplified/1"

// MOSFormulaText is the formula as published beside each score.
const MOSFormulaText = "R = 93.2 - Id - Ie,eff; " +
	"Id = 0.024 d + 0.11 max(0, d - 177.3); d = rtt/2 + jitter buffer + 20 ms; " +
	"Ie,eff = Ie + (95 - Ie) Ppl / (Ppl + Bpl), Ppl in percent; " +
	"Ie = 8 with DTX, else clamp(55 - 4.6 ln(bit/s), 0, 30), else 6; Bpl = 10, with FEC 20, with RED 90; " +
	"MOS = 1 + 0.035 R + 7e-6 R (R - 60) (100 - R), R clamped to 0..100, MOS to 1..4.5"

// Constants of the formula.
const (
	defaultR      = 93.2  // R of an unimpaired narrowband connection, ITU-T G.107 default
	fixedDelayMs  = 20    // packetisation and codec
	delayKneeMs   = 177.3 // above it delay hurts conversation more
	maxImpairment = 95
	ieDTX         = 8
	ieUnknown     = 6
	ieMax         = 30
	bplPlain      = 10
	bplFEC        = 20
	bplRED        = 90
)

// MOSInput is what EstimateMOS reads. It is published in the result.
type MOSInput struct {
	Media          Media  `json:"media"`
	Codec          string `json:"codec,omitempty"`  // any case; empty is not known
	LossRatio      Value  `json:"loss_ratio"`       // 0..1, before repair
	RTTMs          Value  `json:"rtt_ms"`           //
	JitterMs       Value  `json:"jitter_ms"`        // stands in for an unknown jitter buffer
	JitterBufferMs Value  `json:"jitter_buffer_ms"` //
	BitrateBps     Value  `json:"bitrate_bps"`      //
	Packets        Value  `json:"packets"`          // a known 0: no estimate
	FEC            bool   `json:"fec"`              // in-band forward error correction
	RED            bool   `json:"red"`              // redundant audio, RFC 2198
	DTX            bool   `json:"dtx"`              // discontinuous transmission; the bitrate says nothing then
}

// MOSInputOf takes the inputs from a stream's measures.
func MOSInputOf(m Measures, codec string) MOSInput {
	return MOSInput{
		Media: m.Media, Codec: codec, LossRatio: m.LossRatio, RTTMs: m.RTTMs, JitterMs: m.JitterMs,
		JitterBufferMs: m.JitterBufferMs, BitrateBps: m.BitrateBps, Packets: m.Packets,
	}
}

// Assumptions is the set of what an estimate had to assume.
type Assumptions uint8

// The assumptions.
const (
	AssumedNoRTT         Assumptions = 1 << iota // round-trip time not known: taken as 0
	AssumedBuffer2Jitter                         // jitter buffer not known: taken as twice the jitter
	AssumedNoBuffer                              // neither known: taken as 0
	AssumedBitrate                               // bitrate not known: Ie 6
	AssumedOpus                                  // codec not known, or not Opus: figures of Opus
)

// Texts lists the assumptions as sentences, in a stable order.
func (a Assumptions) Texts() []string {
	out := []string{}
	for _, t := range []struct {
		bit  Assumptions
		text string
	}{
		{AssumedNoRTT, "The round-trip time is not known and taken as 0."},
		{AssumedBuffer2Jitter, "The jitter-buffer delay is not known and taken as twice the jitter."},
		{AssumedNoBuffer, "The jitter-buffer delay is not known and taken as 0."},
		{AssumedBitrate, "The bitrate is not known; a codec impairment of 6 is assumed."},
		{AssumedOpus, "The codec is not known to be Opus; the figures of Opus are used."},
	} {
		if a&t.bit != 0 {
			out = append(out, t.text)
		}
	}
	return out
}

// MarshalJSON writes the sentences.
func (a Assumptions) MarshalJSON() ([]byte, error) { return json.Marshal(a.Texts()) }

// MOSEstimate is an estimated listening and conversation quality of audio,
// with all that it was made from. It is an estimate: nobody was asked.
type MOSEstimate struct {
	MOS         float64     `json:"mos"`      // 1..4.5
	R           float64     `json:"r_factor"` // 0..100
	Formula     string      `json:"formula"`  // MOSFormula
	Inputs      MOSInput    `json:"inputs"`
	Assumptions Assumptions `json:"assumptions"`
}

// EstimateMOS estimates the MOS of an audio stream by the simplified E-model
// of MOSFormulaText. It answers false, and no score, for any other medium, for
// a stream known to have no packets, and when the loss is not known, since the
// rest says too little alone. Loss is taken as random (BurstR = 1).
//
// Sources: ITU-T G.107 (default R, Ie,eff, annex B for R to MOS); the one-line
// delay impairment of Cole and Rosenbluth; Ie and Bpl of Opus after the
// open-source project livekit/rtcscore-go.
func EstimateMOS(in MOSInput) (MOSEstimate, bool) {
	loss, packets := in.LossRatio.clean(), in.Packets.clean()
	if in.Media != Audio || !loss.Known || packets.Known && packets.V == 0 {
		return MOSEstimate{}, false
	}
	d, assumed := delayMs(in)
	ie, more := codecImpairment(in)
	assumed |= more
	bpl := float64(bplPlain)
	switch {
	case in.RED:
		bpl = bplRED
	case in.FEC:
		bpl = bplFEC
	}
	ppl := min(loss.V, 1) * 100
	id := 0.024*d + 0.11*max(0, d-delayKneeMs)
	ieEff := ie + (maxImpairment-ie)*ppl/(ppl+bpl)
	r := min(max(defaultR-id-ieEff, 0), 100)
	return MOSEstimate{MOS: mosOfR(r), R: r, Formula: MOSFormula, Inputs: in, Assumptions: assumed}, true
}

// delayMs is the one-way delay from mouth to ear, ms.
func delayMs(in MOSInput) (float64, Assumptions) {
	var assumed Assumptions
	rtt, jitter, buffer := in.RTTMs.clean(), in.JitterMs.clean(), in.JitterBufferMs.clean()
	if !rtt.Known {
		assumed |= AssumedNoRTT
	}
	switch {
	case buffer.Known:
	case jitter.Known:
		buffer.V = 2 * jitter.V
		assumed |= AssumedBuffer2Jitter
	default:
		assumed |= AssumedNoBuffer
	}
	return fixedDelayMs + buffer.V + rtt.V/2, assumed
}

// codecImpairment is Ie, the impairment of the codec without loss.
func codecImpairment(in MOSInput) (float64, Assumptions) {
	var assumed Assumptions
	if !strings.EqualFold(strings.TrimSpace(in.Codec), "opus") {
		assumed |= AssumedOpus
	}
	bitrate := in.BitrateBps.clean()
	switch {
	case in.DTX:
		return ieDTX, assumed
	case bitrate.Known && bitrate.V > 0:
		return min(max(55-4.6*math.Log(bitrate.V), 0), ieMax), assumed
	}
	return ieUnknown, assumed | AssumedBitrate
}

// mosOfR is ITU-T G.107 annex B. The cubic dips below 1 for the smallest R,
// hence the clamp.
func mosOfR(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return min(max(1+0.035*r+7e-6*r*(r-60)*(100-r), 1), 4.5)
}
