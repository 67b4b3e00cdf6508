package forward

import (
	"encoding/binary"
	"errors"
	"net"
	"syscall"
)

// Of linux/udp.h.
const (
	solUDP     = 17
	udpSegment = 103
)

// segmentsUDP tells whether the system cuts datagrams for the socket: Linux does since 4.18.
func segmentsUDP(conn *net.UDPConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var unknown error
	err = raw.Control(func(fd uintptr) { _, unknown = syscall.GetsockoptInt(int(fd), solUDP, udpSegment) })
	return err == nil && unknown == nil
}

// segmentSize appends the control message (cmsg(3)) that has a datagram cut into segments of a size.
func segmentSize(b []byte, size int) []byte {
	if syscall.SizeofCmsghdr == 16 { // The length is a size_t.
		b = binary.NativeEndian.AppendUint64(b, uint64(syscall.CmsgLen(2))) //nolint:gosec // a small constant
	} else {
		b = binary.NativeEndian.AppendUint32(b, uint32(syscall.CmsgLen(2))) //nolint:gosec // a small constant
	}
	b = binary.NativeEndian.AppendUint32(b, solUDP)
	b = binary.NativeEndian.AppendUint32(b, udpSegment)
	b = binary.NativeEndian.AppendUint16(b, uint16(size)) //nolint:gosec // at most lotPacket
	return append(b, make([]byte, syscall.CmsgSpace(2)-syscall.CmsgLen(2))...)
}

// neverSegments tells an error of a network card that can't do without checksums of its own.
func neverSegments(err error) bool { return errors.Is(err, syscall.EIO) }
