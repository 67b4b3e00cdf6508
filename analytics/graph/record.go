package graph

import "time"

// Collection is a page of values.
type Collection[T any] struct {
	Context string `json:"@odata.context"`
	// NextLink is the address of the next page; "" on the last.
	NextLink string `json:"@odata.nextLink,omitempty"`
	Value    []T    `json:"value"`
}

// CallRecord is one call. Participants and Sessions are there, be they empty, only where they were asked for.
type CallRecord struct {
	Context string `json:"@odata.context,omitempty"`
	ID      string `json:"id"`
	// Version rises as data arrives.
	Version              int64         `json:"version"`
	Type                 string        `json:"type"`
	Modalities           []string      `json:"modalities"`
	StartDateTime        time.Time     `json:"startDateTime"`
	EndDateTime          *time.Time    `json:"endDateTime"`
	LastModifiedDateTime time.Time     `json:"lastModifiedDateTime"`
	JoinWebURL           *string       `json:"joinWebUrl"`
	Organizer            *Participant  `json:"organizer_v2"`
	Participants         []Participant `json:"participants_v2,omitzero"`
	ParticipantsNext     string        `json:"participants_v2@odata.nextLink,omitempty"`
	Sessions             []Session     `json:"sessions,omitzero"`
	SessionsNext         string        `json:"sessions@odata.nextLink,omitempty"`
}

// Participant is somebody in a call: the organisation's user by the id of the directory, a guest by an id of this call only.
type Participant struct {
	ID       string       `json:"id"`
	Identity *IdentitySet `json:"identity"`
}

// IdentitySet is a communicationsIdentitySet: one of its members is set.
type IdentitySet struct {
	Type        string    `json:"@odata.type,omitempty"`
	Application *Identity `json:"application"`
	Guest       *Identity `json:"guest"`
	User        *Identity `json:"user"`
}

// Identity is one member of an IdentitySet.
type Identity struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
}

// Session is a participant's stay in the call.
type Session struct {
	ID            string     `json:"id"`
	Caller        *Endpoint  `json:"caller"`
	Callee        *Endpoint  `json:"callee"`
	Modalities    []string   `json:"modalities"`
	StartDateTime *time.Time `json:"startDateTime"`
	EndDateTime   *time.Time `json:"endDateTime"`
	FailureInfo   *Failure   `json:"failureInfo"`
	IsTest        bool       `json:"isTest"`
	// Segments are there only where they were asked for.
	Segments []Segment `json:"segments,omitzero"`
}

// Segment is a part of a session; a session has one.
type Segment struct {
	ID            string     `json:"id"`
	Caller        *Endpoint  `json:"caller"`
	Callee        *Endpoint  `json:"callee"`
	StartDateTime *time.Time `json:"startDateTime"`
	EndDateTime   *time.Time `json:"endDateTime"`
	FailureInfo   *Failure   `json:"failureInfo"`
	Media         []Media    `json:"media"`
}

// Endpoint is a participantEndpoint or, with its other members left out, a serviceEndpoint.
type Endpoint struct {
	Type      string     `json:"@odata.type"`
	UserAgent *UserAgent `json:"userAgent"`
	*Person
}

// Person is what a participantEndpoint has besides. What isn't known of a device is null.
type Person struct {
	Name       *string        `json:"name"`
	Identity   *KnownIdentity `json:"associatedIdentity"`
	CPUName    *string        `json:"cpuName"`
	CPUCores   *int32         `json:"cpuCoresCount"`
	CPUSpeedMh *int32         `json:"cpuProcessorSpeedInMhz"`
	Feedback   *Feedback      `json:"feedback"`
}

// KnownIdentity is an identity set that has the id and name of its member as its own too, for readers of either form.
type KnownIdentity struct {
	IdentitySet
	Identity
}

// UserAgent of a client or of the server.
type UserAgent struct {
	Type          string  `json:"@odata.type"`
	HeaderValue   *string `json:"headerValue"`
	Platform      string  `json:"platform,omitempty"`
	ProductFamily string  `json:"productFamily,omitempty"`
	Role          string  `json:"role,omitempty"`
}

// Feedback is a participant's answer to a survey. What was written in it is not kept.
type Feedback struct {
	Rating string          `json:"rating"`
	Tokens map[string]bool `json:"tokens"`
	Text   *string         `json:"text"`
}

// Failure says in what stage something failed, and why.
type Failure struct {
	Stage  string `json:"stage"`
	Reason string `json:"reason"`
}

// Media is one kind of media of a segment.
type Media struct {
	Label         string    `json:"label"`
	CallerNetwork *Network  `json:"callerNetwork"`
	CalleeNetwork *Network  `json:"calleeNetwork"`
	CallerDevice  *struct{} `json:"callerDevice"`
	CalleeDevice  *struct{} `json:"calleeDevice"`
	Streams       []Stream  `json:"streams"`
}

// Network is a networkInfo. Addresses are not kept, so that they are always null; the subnet is known of org users only.
type Network struct {
	ConnectionType            string   `json:"connectionType"`
	NetworkTransportProtocol  string   `json:"networkTransportProtocol"`
	IPAddress                 *string  `json:"ipAddress"`
	ReflexiveIPAddress        *string  `json:"reflexiveIPAddress"`
	RelayIPAddress            *string  `json:"relayIPAddress"`
	Port                      *int32   `json:"port"`
	RelayPort                 *int32   `json:"relayPort"`
	Subnet                    *string  `json:"subnet"`
	LinkSpeed                 *int64   `json:"linkSpeed"`
	BandwidthLowEventRatio    *float64 `json:"bandwidthLowEventRatio"`
	DelayEventRatio           *float64 `json:"delayEventRatio"`
	SentQualityEventRatio     *float64 `json:"sentQualityEventRatio"`
	ReceivedQualityEventRatio *float64 `json:"receivedQualityEventRatio"`
}

// Stream is a mediaStream. Rates and ratios are from 0 to 1.
type Stream struct {
	StreamID                 string     `json:"streamId"`
	StreamDirection          *string    `json:"streamDirection"`
	StartDateTime            *time.Time `json:"startDateTime"`
	EndDateTime              *time.Time `json:"endDateTime"`
	AudioCodec               *string    `json:"audioCodec"`
	VideoCodec               *string    `json:"videoCodec"`
	AverageJitter            *Duration  `json:"averageJitter"`
	MaxJitter                *Duration  `json:"maxJitter"`
	AveragePacketLossRate    *float64   `json:"averagePacketLossRate"`
	MaxPacketLossRate        *float64   `json:"maxPacketLossRate"`
	AverageRoundTripTime     *Duration  `json:"averageRoundTripTime"`
	MaxRoundTripTime         *Duration  `json:"maxRoundTripTime"`
	AverageNetworkJitter     *Duration  `json:"averageAudioNetworkJitter"`
	MaxNetworkJitter         *Duration  `json:"maxAudioNetworkJitter"`
	AverageConcealed         *float64   `json:"averageRatioOfConcealedSamples"`
	MaxConcealed             *float64   `json:"maxRatioOfConcealedSamples"`
	AverageAudioDegradation  *float64   `json:"averageAudioDegradation"`
	AverageBandwidthEstimate *int64     `json:"averageBandwidthEstimate"`
	AverageFreezeDuration    *Duration  `json:"averageFreezeDuration"`
	AverageReceivedFrameRate *float64   `json:"averageReceivedFrameRate"`
	AverageVideoFrameRate    *float64   `json:"averageVideoFrameRate"`
	AverageVideoFrameLoss    *float64   `json:"averageVideoFrameLossPercentage"`
	AverageVideoPacketLoss   *float64   `json:"averageVideoPacketLossRate"`
	LossAfterRepair          *float64   `json:"postForwardErrorCorrectionPacketLossRate"`
	LowFrameRateRatio        *float64   `json:"lowFrameRateRatio"`
	IsAudioFECUsed           *bool      `json:"isAudioForwardErrorCorrectionUsed"`
	PacketUtilization        *int64     `json:"packetUtilization"`
	WasMediaBypassed         *bool      `json:"wasMediaBypassed"`
}
