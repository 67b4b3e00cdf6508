// Package app owns the lifecycle of the process: what was started is stopped in the reverse order, by name, within one
// deadline, and every step's error is reported.
//
// It knows steps, not what they stop: whoever wires the service says how each part ends. It promises:
//
//   - Steps end strictly one after the other, the last one added first, so that a part can rely on what was started before it
//     until it has ended itself.
//   - A step that fails does not keep the ones below it from being stopped. A step that outlasts the deadline is named and
//     left behind, as are all below it: the process is about to end, and what it holds (locks, children, sockets) ends with it.
//   - A component that ends by itself ends the whole: half a service is not kept running.
package app
