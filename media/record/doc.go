// Package record keeps what is said and shown in a call: recordings as files, and transcription as audio streamed to somebody's service.
// Both are taps on what media/forward carries.
//
// A recording never slows media: packets are copied into a bounded queue that one goroutine empties; when the disk can't keep up, packets are
// dropped, counted, and the manifest says so. Nothing is transcoded.
//
// On disk a recording is the directory <dir>/<organisation>/<call>/<recording> with, per track, one Matroska file and one timing file, and a
// manifest. Participants appear by their random ids only. A media file is written a cluster at a time, so that a file whose process was killed
// plays up to the last second; Recover then makes its index and its manifest. A directory belongs to one process.
package record
