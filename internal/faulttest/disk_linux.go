package faulttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Disk is a small disk of a test's own.
type Disk struct {
	t testing.TB
	// Dir is where it is mounted.
	Dir string
}

// NewDisk mounts a disk of so many bytes until the test ends. It is in memory: a crash of the machine is no part of what it can show.
func NewDisk(t testing.TB, bytes int64) *Disk {
	t.Helper()
	d := &Disk{t, t.TempDir()}
	if err := syscall.Mount("anteroom-test", d.Dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes)); err != nil {
		cannot(t, "mount a small disk", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.Dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	})
	return d
}

// ballast is the file that fills a disk.
const ballast = ".ballast"

// Fill leaves so many bytes free.
func (d *Disk) Fill(leave int64) {
	d.t.Helper()
	var now syscall.Statfs_t
	if err := syscall.Statfs(d.Dir, &now); err != nil {
		d.t.Fatalf("look at the small disk: %v", err)
	}
	free := int64(now.Bavail) * now.Bsize //nolint:gosec // a small disk
	file, err := os.OpenFile(filepath.Join(d.Dir, ballast), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatalf("fill the small disk: %v", err)
	}
	defer file.Close()
	if free <= leave {
		return
	}
	_, err = file.Write(make([]byte, free-leave))
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatalf("fill the small disk: %v", err)
	}
}

// Free takes away what fills it.
func (d *Disk) Free() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.Dir, ballast)); err != nil {
		d.t.Fatalf("free the small disk: %v", err)
	}
}
