package forward

import (
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// arrivals is when a publishing connection's packets arrived, for transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).
// It is an interceptor, since only those see every packet that is numbered for the whole transport: what comes over a retransmission stream
// reaches no track before its number is gone, and padding that probes for bandwidth never does. A sender takes each number that is not
// reported for a lost packet, and a probe of which most was lost for a narrow path: it would stay at its smallest simulcast layer.
type arrivals struct {
	interceptor.NoOp

	mu       sync.Mutex
	recorder *twcc.Recorder
	// ssrc of the newest media packet: feedback goes by it, since senders need not read what is addressed to a retransmission stream.
	ssrc uint32
	// news: packets have arrived since the last feedback.
	news bool
}

func newArrivals() *arrivals { return &arrivals{recorder: twcc.NewRecorder(1)} }

// NewInterceptor makes it its own factory: it serves the one connection that it is made for.
func (a *arrivals) NewInterceptor(string) (interceptor.Interceptor, error) { return a, nil }

// BindRemoteStream is called for every SSRC: media, retransmissions, and padding on none of the streams.
func (a *arrivals) BindRemoteStream(info *interceptor.StreamInfo, reader interceptor.RTPReader) interceptor.RTPReader {
	for _, extension := range info.RTPHeaderExtensions {
		if extension.URI == extTransportCC {
			r := &arrivalReader{reader: reader, arrivals: a, id: uint8(extension.ID)} //nolint:gosec // 1 to 14
			if !strings.EqualFold(info.MimeType, webrtc.MimeTypeRTX) {
				r.ssrc = info.SSRC
			}
			return r
		}
	}
	return reader
}

// arrivalReader notes each packet of one SSRC. It is used by one goroutine at a time.
type arrivalReader struct {
	reader   interceptor.RTPReader
	arrivals *arrivals
	// ssrc of media, 0 for retransmissions.
	ssrc   uint32
	id     uint8
	header rtp.Header
}

func (r *arrivalReader) Read(buffer []byte, attributes interceptor.Attributes) (int, interceptor.Attributes, error) {
	n, attributes, err := r.reader.Read(buffer, attributes)
	if err != nil {
		return n, attributes, err
	}
	// A packet that can't be read is for the next reader to refuse.
	if _, err := r.header.Unmarshal(buffer[:n]); err == nil {
		if extension := r.header.GetExtension(r.id); len(extension) >= 2 {
			r.arrivals.note(r.ssrc, binary.BigEndian.Uint16(extension), time.Now())
		}
	}
	return n, attributes, nil
}

func (a *arrivals) note(ssrc uint32, number uint16, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ssrc != 0 {
		a.ssrc = ssrc
	}
	a.recorder.Record(a.ssrc, number, now.UnixMicro())
	a.news = true
}

// feedback on what arrived since the last one; nothing if nothing did.
func (a *arrivals) feedback() []rtcp.Packet {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.news {
		return nil
	}
	a.news = false
	return a.recorder.BuildFeedbackPacket()
}
