package measure

// Side is where a stream's packets most likely get lost.
type Side string

// The sides; a closed set, fit for an attribute.
const (
	// SideNone: too little is lost, or too little was sent, to blame anybody.
	SideNone             Side = "none"
	SideSenderUplink     Side = "sender_uplink"
	SideServer           Side = "server"
	SideReceiverDownlink Side = "receiver_downlink"
)

const (
	// blameFrom is the ratio of lost packets from which a side is named: a tenth of the 0.1 that makes a stream poor, and the loss that
	// ITU-T G.107's default codecs begin to be heard at. Below it, naming a side would blame a network for noise.
	blameFrom = 0.01
	// blamePackets is the fewest packets, two seconds of audio: among fewer, one lost packet alone would be above blameFrom.
	blamePackets = 100
)

// LikelySide names the side that most of the loss between a publisher and one subscriber happened on, from the publisher's inbound sample and
// the subscriber's outbound one of the same interval. What was repaired on the way counts as not lost. Where two sides lose alike it is the
// earlier one on the way, since a sender's holes make a subscriber ask for what nobody has. With several layers, up is the one forwarded.
func LikelySide(up, down Sample) Side {
	worst, side := blameFrom, SideNone
	for _, c := range []struct {
		side       Side
		lost, sent float64
	}{
		{SideSenderUplink, float64(up.Residual), float64(up.Expected)},
		{SideServer, float64(down.Dropped), float64(down.Packets + down.Dropped)},
		{SideReceiverDownlink, float64(down.Residual), float64(down.Packets)},
	} {
		if c.sent < blamePackets {
			continue
		}
		ratio := c.lost / c.sent
		if ratio > worst || (side == SideNone && ratio >= worst) {
			worst, side = ratio, c.side
		}
	}
	return side
}
