//go:build !linux

package sandbox

import (
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
