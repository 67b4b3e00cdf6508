//go:build !linux

package sandbox

import (
	"os"
	"syscall"
	"time"
)

// limitKernel bounds the processor time; the child watches its memory itself.
func limitKernel(_ uint64, cpu time.Duration) {
	seconds := uint64(cpu/time.Second) + 1
	_ = syscall.Setrlimit(syscall.RLIMIT_CPU, &syscall.Rlimit{Cur: seconds, Max: seconds + 1})
}

// resident can't be told here.
func resident(int) uint64 { return 0 }

// peakMemory is not looked at here: units differ between systems.
func peakMemory(*os.ProcessState) uint64 { return 0 }

// kernelMemory: the kernel bounds none here.
func kernelMemory(uint64) uint64 { return 1 << 62 }
