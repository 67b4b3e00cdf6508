package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc's times: USER_HZ is 100 on all platforms that Go runs on.
const tick = 10 * time.Millisecond

// Usage is what a process took so far. Known is false where the system doesn't tell, or there is no such process.
type Usage struct {
	Known bool
	// CPU is user and system time.
	CPU time.Duration
	// Resident memory now, in bytes.
	Resident int64
	// Files are its open files and sockets; -1 where it may not be looked at.
	Files int
}

// UsageOf reads /proc.
func UsageOf(pid int) Usage {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || pid <= 0 {
		return Usage{}
	}
	// The second field is the name in brackets, which may hold spaces. After it, user and system time are the 12th and 13th, resident pages the 22nd.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 22 {
		return Usage{}
	}
	number := func(at int) int64 { n, _ := strconv.ParseInt(fields[at], 10, 64); return n }
	u := Usage{Known: true, CPU: time.Duration(number(11)+number(12)) * tick, Resident: number(21) * int64(os.Getpagesize()), Files: -1}
	if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
		u.Files = len(open)
	}
	return u
}

// LoadAverage of the machine over the last minute; "unknown" where the system doesn't tell.
func LoadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}
