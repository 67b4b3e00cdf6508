//go:build !linux

package faulttest

import (
	"errors"
	"testing"
)

// Disk is a small disk of a test's own.
type Disk struct {
	// Dir is where it is mounted.
	Dir string
}

// Network is a network of its own on this machine.
type Network struct{}

var errLinux = errors.New("it takes Linux")

// NewDisk skips the test.
func NewDisk(t testing.TB, _ int64) *Disk {
	t.Helper()
	cannot(t, "mount a small disk", errLinux)
	return nil
}

// Fill is never called.
func (d *Disk) Fill(int64) {}

// Free is never called.
func (d *Disk) Free() {}

// NewNetwork skips the test.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	cannot(t, "make a network", errLinux)
	return nil
}

// Host is never called.
func (*Network) Host() string { return "" }

// Here is never called.
func (*Network) Here() string { return "" }

// Inside is never called.
func (*Network) Inside() []string { return nil }

// Part is never called.
func (*Network) Part(bool) {}
