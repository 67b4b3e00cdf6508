//go:build !linux

package embedded

import "syscall"

// childAttr gives the child a process group of its own, so that an interrupt
// typed at the terminal reaches the parent only. There is no signal on the
// parent's death here: the end of standard input ends the engine.
func childAttr(syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
