// Package load puts load on a running meeting, as clients would: each of them joins over its own WebSocket, publishes made-up media or receives what
// others publish, and leaves. It counts what arrives, what was lost by the gaps in sequence numbers, and what the server's process took meanwhile.
//
// A run is bounded in clients and in time (Config) and ends by itself; whoever cancels its context ends it earlier. It promises nothing about the
// server: what fails is counted by its reason, and the run goes on with those who are in. It speaks to the server only as any client could; the one
// thing that it reads besides is the processor time of a process on this machine (Usage).
package load
