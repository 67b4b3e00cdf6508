package sandbox

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

const rlimitData = 2 // RLIMIT_DATA, which package syscall has on some architectures only

// kernelMemory is the kernel's limit, which stands behind the other two watches: it counts what is mapped for writing, of which the runtime has
// more than it uses, and a runtime that is refused memory can crash in any way.
func kernelMemory(memory uint64) uint64 { return 2*memory + 64<<20 }

// limitKernel has the kernel refuse memory and end the process.
func limitKernel(memory uint64, cpu time.Duration) {
	data := kernelMemory(memory)
	_ = syscall.Setrlimit(rlimitData, &syscall.Rlimit{Cur: data, Max: data})
	seconds := uint64(cpu/time.Second) + 1
	_ = syscall.Setrlimit(syscall.RLIMIT_CPU, &syscall.Rlimit{Cur: seconds, Max: seconds + 1})
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	_ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{})
}

// resident is the memory that a process has, in bytes; 0 if it can't be told.
func resident(pid int) uint64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(string(fields[1]), 10, 64)
	return pages * uint64(os.Getpagesize())
}

// peakMemory is the most memory that a process had, in bytes.
func peakMemory(state *os.ProcessState) uint64 {
	used, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return uint64(used.Maxrss) << 10
}
