package measure

import "time"

// maxRTT: what is above says that clocks or reports are wrong, not that the path is long.
const maxRTT = time.Minute

// ntpEpoch is 1900-01-01 in seconds before 1970.
const ntpEpoch = 2208988800

// NTP is RTCP's 64-bit time: seconds since 1900 and their fraction, 32 bits each.
func NTP(t time.Time) uint64 {
	return uint64(uint32(t.Unix()+ntpEpoch))<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// middle32 of a 64-bit NTP time is RTCP's compact form: 16 bits of seconds and 16 of their fraction. It wraps each 18 hours.
func middle32(ntp uint64) uint32 { return uint32(ntp >> 16) }

// toShort is a duration in units of 1/65536 s.
func toShort(d time.Duration) uint32 {
	return uint32(d/time.Second)<<16 | uint32(d%time.Second<<16/time.Second)
}

func fromShort(v uint32) time.Duration {
	return time.Duration(v>>16)*time.Second + time.Duration(v&0xffff)*time.Second>>16
}

// reportedRTT is RFC 3550 6.4.1: A - LSR - DLSR, all in 1/65536 s and modulo 2^32. False if it can't be one.
func reportedRTT(now time.Time, lsr, dlsr uint32) (time.Duration, bool) {
	d := middle32(NTP(now)) - lsr - dlsr
	if int32(d) < 0 {
		// A clock's unit early is rounding.
		return 0, d == ^uint32(0)
	}
	rtt := fromShort(d)
	return rtt, rtt <= maxRTT
}
