// Package demo owns the demonstration calls that an empty data folder is filled with:
// a meeting that its own clients play (Play), and two dumps in the jitsi rtcstats format, recorded from real Chromium by the script in
// record/, one side of a two-party call each. "clean" crossed an undisturbed loopback,
// "impaired" a relay that dropped, delayed and scattered its packets.
//
// Each dump names a made-up guest, devices and RFC 5737 addresses, as a real one would,
// so that labelling has something to remove. The package promises that nothing in them
// belongs to a real person or machine; it parses nothing.
package demo

import _ "embed" // for the dumps below

//go:embed clean.dump
var clean string

//go:embed impaired.dump
var impaired string

// File is one dump: a JSON array [method, peer connection or null, value, epoch
// milliseconds] per line.
type File struct {
	Name string // file name, "clean.dump" or "impaired.dump"
	Data []byte // the caller's own copy
}

// Files returns the shipped dumps, the clean call first. Each call returns fresh copies.
func Files() []File {
	return []File{
		{Name: "clean.dump", Data: []byte(clean)},
		{Name: "impaired.dump", Data: []byte(impaired)},
	}
}

// PersonalData returns what each dump says about its made-up guest: name, user id,
// devices and addresses. None of these may be found in a table, log, metric or dead
// letter after an import; each is in each dump, so a search for them is known to work.
func PersonalData() []string {
	return []string{
		"Dana Demo-Guest",
		"dana.demo-guest@visitors.example",
		"Dana's Headset (0000:d3a0)",
		"Dana's Laptop Camera (0000:d3a1)",
		"DANA-LAPTOP Display 1",
		"192.0.2.10",
		"198.51.100.",
	}
}
