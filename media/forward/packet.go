package forward

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
)

// packet is one that arrived. It is shared by the cache and all subscribers' queues, and never changed.
type packet struct {
	layer     *layer
	codec     *codecInfo
	epoch     uint32
	timestamp uint32
	seq       uint16
	marker    bool
	// key: the first packet of a frame that needs no earlier one. Audio's are all of that kind.
	key     bool
	payload []byte
	arrived time.Time
	// level of RFC 6464 with its voice bit and video rotation, as they came.
	level, rotation       byte
	hasLevel, hasRotation bool
	ids                   frameIDs
}

// codecInfo is a codec as the publisher negotiated it.
type codecInfo struct {
	mime      string // lower case
	name      string // as people write it: "opus", "VP8"
	fmtp      string
	clockRate uint32
	channels  uint16
}

func newCodecInfo(mimeType, fmtp string, clockRate uint32, channels uint16) *codecInfo {
	_, name, _ := strings.Cut(mimeType, "/")
	return &codecInfo{mime: strings.ToLower(mimeType), name: name, fmtp: fmtp, clockRate: clockRate, channels: channels}
}

// size in bytes with the RTP header, without extensions and padding.
func (p *packet) size() int { return 12 + len(p.payload) }

// errPadding: the padding is longer than the packet.
var errPadding = errors.New("padding longer than the packet")

// unpad gives the payload without padding.
func unpad(header *rtp.Header, payload []byte) ([]byte, error) {
	if !header.Padding {
		return payload, nil
	}
	if len(payload) == 0 {
		return nil, errPadding
	}
	n := int(payload[len(payload)-1])
	if n == 0 || n > len(payload) {
		return nil, errPadding
	}
	return payload[:len(payload)-n], nil
}

// cachePackets is how many packets back a subscriber can ask for: about 2 s of 5 Mbit/s video. A power of two.
const cachePackets = 1024

// cache keeps the last packets of one layer for all its subscribers' requests. One goroutine stores, any may load.
type cache struct {
	slots [cachePackets]atomic.Pointer[packet]
}

func (c *cache) store(p *packet) { c.slots[p.seq%cachePackets].Store(p) }

func (c *cache) load(seq uint16) *packet {
	if p := c.slots[seq%cachePackets].Load(); p != nil && p.seq == seq {
		return p
	}
	return nil
}

// drop forgets everything, so that nothing of a track that stopped is sent again.
func (c *cache) drop() {
	for i := range c.slots {
		c.slots[i].Store(nil)
	}
}

// redPayloadTypes writes payload type to into the block headers of RFC 2198 redundancy: publisher and subscriber may number Opus differently.
func redPayloadTypes(payload []byte, to uint8) {
	for i := 0; i < len(payload); {
		follows := payload[i]&0x80 != 0
		payload[i] = payload[i]&0x80 | to&0x7f
		if !follows {
			return
		}
		i += 4
	}
}

// after tells whether sequence number a comes after b, modulo 2^16.
func after(a, b uint16) bool { return int16(a-b) > 0 } //nolint:gosec // serial number arithmetic, RFC 1982

// fromNTP is an RTCP time (seconds since 1900 in the upper half, fractions in the lower) as a time.
func fromNTP(ntp uint64) time.Time {
	const seconds1900to1970 = 2208988800
	return time.Unix(int64(ntp>>32)-seconds1900to1970, int64((ntp&0xffffffff)*1_000_000_000>>32)).UTC() //nolint:gosec // halves of 64 bits
}

func putUint24(b []byte, v uint32) { b[0], b[1], b[2] = byte(v>>16), byte(v>>8), byte(v) } //nolint:gosec // truncated on purpose

// put15 writes a picture id of 15 bits with its flag.
func put15(b []byte, v uint16) { binary.BigEndian.PutUint16(b, v|0x8000) }
