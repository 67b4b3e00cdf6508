package measure

// Side is where a stream's packets most likely get lost.
type Side string

// The sides; a closed set, fit for an attribute.
const (
	SideNone             Side = "none"
	SideSenderUplink     Side = "sender_uplink"
	SideServer           Side = "server"
	SideReceiverDownlink Side = "receiver_downlink"
)

// LikelySide names the side that most of the loss between a publisher and one subscriber happened on, from the publisher's inbound sample and
// the subscriber's outbound one of the same interval.
func LikelySide(up, down Sample) Side { return SideNone }
