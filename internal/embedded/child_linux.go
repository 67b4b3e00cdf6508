package embedded

import "syscall"

// childAttr makes the kernel end the child with its parent. It is the second
// line: the first is standard input, whose end the engine waits for. The signal
// is sent when the starting *thread* ends, so the starter must keep its thread
// (see process.start).
//
// The child has a process group of its own: an interrupt typed at the terminal
// must reach the parent only, which stops things in order.
func childAttr(sig syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: sig, Setpgid: true}
}
