package forward

import (
	"io"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/transport/v5/packetio"
)

// buffer is where pion puts what comes for one SSRC of a publishing connection. Sender reports are taken here, on their way in, since this is the
// only place that has them for every SSRC: a receiver's own reader loses those of a simulcast layer for good when a second offer comes before the
// first one's receivers have started.
func (p *publisher) buffer(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	if kind == packetio.RTCPBufferPacket {
		return &senderReports{publisher: p, ssrc: ssrc, closed: make(chan struct{})}
	}
	b := &mediaBuffer{packetio.NewBuffer()}
	b.SetLimitSize(mediaBufferBytes)
	return b
}

// mediaBufferBytes bound what waits to be read of one SSRC, as pion does without a buffer of ours.
const mediaBufferBytes = 1000 * 1000

// mediaBuffer is pion's own, as it has them without this factory.
type mediaBuffer struct{ *packetio.Buffer }

func (b *mediaBuffer) Read(to []byte) (int, error) {
	n, _, err := b.Buffer.Read(to, nil)
	return n, err
}

func (b *mediaBuffer) Write(packet []byte) (int, error) { return b.Buffer.Write(packet, nil) }

// ReadWithAttributes and WriteWithAttributes are what pion's SRTP looks for.
func (b *mediaBuffer) ReadWithAttributes(to []byte, attributes packetio.Attributes) (int, packetio.Attributes, error) {
	return b.Buffer.Read(to, attributes)
}

// WriteWithAttributes adds a packet.
func (b *mediaBuffer) WriteWithAttributes(packet []byte, attributes packetio.Attributes) (int, error) {
	return b.Buffer.Write(packet, attributes)
}

// senderReports takes the RTCP that comes for one SSRC; nobody reads it again.
type senderReports struct {
	publisher *publisher
	ssrc      uint32
	once      sync.Once
	closed    chan struct{}
}

// Write takes one packet. It never fails: pion would throw away the rest of what came with it.
func (s *senderReports) Write(packet []byte) (int, error) {
	var report rtcp.SenderReport
	// Reports on this SSRC come here too; what is malformed is not one of its own either.
	if err := report.Unmarshal(packet); err == nil && report.SSRC == s.ssrc {
		s.publisher.reported(&report, time.Now())
	}
	return len(packet), nil
}

// Read waits for the end.
func (s *senderReports) Read([]byte) (int, error) {
	<-s.closed
	return 0, io.EOF
}

// Close ends who reads.
func (s *senderReports) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// reported takes what the publisher says of one of its layers.
func (p *publisher) reported(report *rtcp.SenderReport, now time.Time) {
	for _, s := range p.all() {
		for _, l := range s.list() {
			if l.ssrc == report.SSRC {
				l.reported(report, now)
			}
		}
	}
}

// reported takes what the publisher says of the layer.
func (l *layer) reported(sr *rtcp.SenderReport, now time.Time) {
	l.in.SenderReport(sr.NTPTime, now)
	l.report.Store(&senderReport{ntp: fromNTP(sr.NTPTime), rtp: sr.RTPTime, arrived: now})
	l.section.publisher.clock.observe(fromNTP(sr.NTPTime), now)
	if t := l.section.track.Load(); t != nil {
		t.tapReport(fromNTP(sr.NTPTime), sr.RTPTime, l)
	}
}
