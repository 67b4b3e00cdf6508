// Package faulttest makes what goes wrong around a service, for tests: connections that are cut between a request and its answer, that are slow or stand
// still; disks that are full; networks that are parted.
//
// It exists for tests and reaches no binary. What the machine can't do (mount, unshare) skips a test with the reason, and fails it under CI=true.
package faulttest
