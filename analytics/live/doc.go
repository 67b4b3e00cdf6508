// Package live follows the calls that run, for those who watch an organisation.
//
// It owns one poll per organisation, for as long as somebody watches, which all
// of its listeners share, and the limits on how many may. What it shows is
// judged from the newest samples, and has org users only (rule D3): a guest is
// in no row, no count and no average, while the call runs and after it.
//
// What an org user receives was made by somebody else, who may be a guest. So
// of received streams only loss and round-trip time are judged: both are of the
// receiver's own way (what the sender lost is not in a receiver's loss, see
// docs/measurement.md). Jitter, frame rate and bitrate may be the sender's.
//
// It promises nothing about delivery: each update is the whole picture, and who
// has missed some misses nothing.
package live
