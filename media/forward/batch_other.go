//go:build !linux

package forward

import "net"

func segmentsUDP(*net.UDPConn) bool { return false }

func segmentSize(b []byte, _ int) []byte { return b }

func neverSegments(error) bool { return false }
